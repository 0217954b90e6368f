// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "attune/algorithm.h"
#include "kernel/engine/adapters.h"
#include "kernel/engine/batch.h"
#include "kernel/engine/checkpoint_store.h"
#include "kernel/engine/loaded_model.h"
#include "kernel/engine/optimizer.h"
#include "kernel/engine/prepared_run.h"
#include "kernel/engine/reference_scores.h"
#include "kernel/engine/schedule.h"
#include "kernel/engine/step_plan.h"
#include "kernel/engine/training_data.h"
#include "kernel/host/engine_api.h"

namespace attune {

/// The one training loop. What differs between algorithms is their plugin's metadata and their loss.
class Trainer {
 public:
  Trainer(std::unique_ptr<PreparedRun> prepared, const std::string& folder, HostServices& host);
  /// Trains to the last step, from the newest checkpoint if there is one, and writes final/. Returns the results.
  Json run();

 private:
  struct StepTotals;

  /// Data and what the reference makes of it.
  struct Split {
    std::unique_ptr<TrainingData> data;
    std::unique_ptr<ReferenceScores> reference;
  };

  void prepare_reference();
  StepTotals pass(const std::vector<int64_t>& indices, Split& split, bool learn);
  at::Tensor reference_units(Split& split, std::span<const int64_t> indices, std::span<const Encoded* const> samples);
  void add_mismatched(Split& split, std::span<const int64_t> kept, const std::vector<std::vector<size_t>>& bins,
                      std::span<MicroBatch> micros);
  Json train_step(int64_t step);
  Json evaluate();
  void move_reference(int64_t step);
  NamedTensors state();
  void save(int64_t step);
  std::vector<Parameter> choose_trainable();
  void write_final(const std::vector<Parameter>& trainable);

  std::unique_ptr<PreparedRun> prepared_;
  const Json& run_;
  const std::string folder_;
  HostServices& host_;
  LoadedModel& policy_;
  std::unique_ptr<LoadedModel> live_reference_;
  AdapterOptions adapter_options_;
  std::vector<Parameter> adapters_;  ///< parameters of low-rank adapters; none: the model itself is trained
  int64_t top_k_ = 0;  ///< tokens of the teacher that are stored for each unit; 0: its distribution is not stored
  Algorithm* algorithm_ = nullptr;
  Split train_, eval_;
  std::unique_ptr<StepPlan> plan_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Schedule> schedule_;
  std::unique_ptr<CheckpointStore> checkpoints_;
  bool needs_reference_ = false;
  int64_t sync_every_ = 0, step_ = 0;
  double tokens_ = 0;  ///< rows trained on so far
  Json planned_;       ///< Planner::plan()
};

}  // namespace attune
