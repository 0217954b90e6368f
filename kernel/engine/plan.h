// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "attune/model.h"
#include "kernel/host/json.h"

namespace attune {

/// What a resolved training run will cost, from shapes alone: {"parameters", "memory": {"weights", "optimizer", "gradients",
/// "activations", "head", "base", "total"} in bytes, "flops_per_row", "flops_per_scored_row", "flops_per_step" (upper bound
/// where the step's rows are known from the manifest)}.
Json plan_run(const Json& run, const ModelShape& shape, const std::vector<Parameter>& parameters);

}  // namespace attune
