// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "kernel/engine/step_plan.h"
#include "kernel/engine/training_data.h"
#include "kernel/host/engine_api.h"

namespace attune {

/// The plan of a run's steps. One that counts tokens asks for the length of every sample it passes;
/// it is kept in `folder`/index under the run's digest, and a resumed run asks for none. Without a folder nothing is kept.
std::unique_ptr<StepPlan> make_plan(const Json& run, TrainingData& data, const std::string& folder,
                                    const std::string& run_digest, HostServices& host);

}  // namespace attune
