// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "attune/algorithm.h"
#include "kernel/engine/adapters.h"
#include "kernel/engine/loaded_model.h"
#include "kernel/engine/step_plan.h"
#include "kernel/engine/training_data.h"
#include "kernel/host/engine_api.h"

namespace attune {

/// All of a training run that is there before its weights: what a plan is made from, and training goes on with.
struct PreparedRun {
  /// `folder` is the run's, for what is kept between its starts; empty: nothing is.
  PreparedRun(const Json& run, HostServices& host, const std::string& folder = "");
  PreparedRun(const PreparedRun&) = delete;
  PreparedRun& operator=(const PreparedRun&) = delete;

  /// Whether a second model stays in memory, as a reference or a teacher.
  bool second_model() const;

  const Json run;
  Json metadata;  ///< of the algorithm
  Plugin<attune_object> object;
  Algorithm* algorithm = nullptr;
  LoadedModel policy;  ///< its parameters hold nothing yet
  std::unique_ptr<TrainingData> train, eval;  ///< null where the data is not there yet, as before a pipeline has run
  std::unique_ptr<StepPlan> steps;            ///< null as `train` is
  std::string missing;                        ///< why the data is not there
  std::string digest;  ///< what identifies the run for its checkpoints; empty without a folder
};

}  // namespace attune
