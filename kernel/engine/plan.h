// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernel/engine/calibration.h"
#include "kernel/engine/prepared_run.h"
#include "kernel/engine/probe.h"
#include "kernel/engine/workload.h"
#include "kernel/host/json.h"

namespace attune {

/// How many layers, from the first, train.activation_checkpointing asks to compute again: false | true | a number.
int64_t recomputed_layers(const Json& train, int64_t layers);

/// Says what a prepared run will cost, before any weight is read. Rationale: what layers do with memory is measured on the
/// run's own model, a layer of each kind, on a few rows; lengths are those of the run's own samples; only the head, the
/// optimizer and the order of things are formulas.
class Planner {
 public:
  Planner(PreparedRun& prepared, HostServices& host);

  /// `train` is the table [train]: tokens_per_batch and activation_checkpointing may differ from the prepared run's.
  ///   parameters, trainable_parameters
  ///   memory    bytes: weights, second_model, optimizer, checkpoint, gradients, activations, activations_by_layer, head, caches, base, peak; peak_in
  ///   work      lengths, steps, batches_per_step, rows_per_step, scored_rows_per_step, rows_per_batch_at_most, flops_per_step, flops
  ///   disk      bytes: checkpoint, final, total
  ///   time      seconds: start, step, reference, saving, total; only where this machine is calibrated for the model
  Json plan(const Json& train, Calibrate calibrate);

 private:
  struct Sizes {
    int64_t all = 0, trainable = 0, largest = 0;
    double element = 4;
    double weights = 0, states = 0;  ///< bytes
    double learned() const { return states + 4.0 * double(trainable); }  ///< bytes of states and fp32 weights
    double unpacked = 0;             ///< bytes of the largest of weights in 4 bits while it is used
    bool half = false, head_trained = false, early = false;  ///< early: updates in the backward pass
  };

  const LayerMemory& layer(int64_t index, bool again);
  struct Phase;
  struct Peak;
  void pass(const BatchShape& batch, int64_t recomputed, double before, bool later, Peak& peak);
  Json memory(const Workload& work, int64_t recomputed);
  Json time(const Workload& work, int64_t recomputed, const Calibration& calibration) const;
  Json work(const Workload& work) const;
  double head_bytes(const BatchShape& batch, bool backward) const;

  PreparedRun& prepared_;
  HostServices& host_;
  ModelShape shape_;
  Sizes sizes_;
  std::vector<Parameter> trainable_;
  std::map<std::pair<int64_t, bool>, LayerMemory> layers_;  ///< of a kind, computed again or not
  int64_t base_ = 0;
};

}  // namespace attune
