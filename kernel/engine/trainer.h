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
#include "kernel/engine/reference.h"
#include "kernel/engine/schedule.h"
#include "kernel/engine/state_hash.h"
#include "kernel/engine/state_tree.h"
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
  /// Stores what the reference says of the samples that the run needs, and trains nothing. Returns the folders; none where nothing is stored.
  Json references();

 private:
  struct StepTotals;

  void prepare_reference();
  StepTotals pass(const std::vector<int64_t>& indices, Split& split, bool learn);
  void add_mismatched(Split& split, std::span<const int64_t> kept, const std::vector<std::vector<size_t>>& bins,
                      std::span<MicroBatch> micros);
  Json train_step();
  void skip(const std::string& what, const NamedTensors& remembered);
  Json evaluate();
  StateTree state();
  void resume();
  void save(bool at_once);
  void require_best() const;
  std::vector<Parameter> choose_trainable();
  void write_final(const std::vector<Parameter>& trainable);

  std::unique_ptr<PreparedRun> prepared_;
  const Json& run_;
  const std::string folder_;
  HostServices& host_;
  LoadedModel& policy_;
  AdapterOptions adapter_options_;
  std::vector<Parameter> adapters_;  ///< parameters of low-rank adapters; none: the model itself is trained
  Algorithm* algorithm_ = nullptr;
  bool needs_reference_ = false;
  Split train_, eval_;
  std::unique_ptr<Reference> reference_;  ///< null: the algorithm needs none
  std::unique_ptr<StepPlan> plan_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Schedule> schedule_;
  std::unique_ptr<CheckpointStore> checkpoints_;
  Json planned_;  ///< Planner::plan()
  Json last_ = Json::object();  ///< metrics of the newest step

  /// What changes from step to step besides tensors; state() declares each.
  struct Progress {
    int64_t step = 0, updates = 0;
    double tokens = 0;  ///< rows trained on
    int64_t skipped = 0, skipped_in_a_row = 0;  ///< steps that were not finite
    StateHash hash;
  } at_;
};

}  // namespace attune
