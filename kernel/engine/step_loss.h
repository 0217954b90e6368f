// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "attune/algorithm.h"
#include "kernel/engine/batch.h"

namespace attune {

/// What is trained.
struct TrainedPolicy {
  Model& model;
  ValueHead value;
  Model* teacher = nullptr;  ///< whose distribution a divergence compares with
};

/// The loss of an optimizer step, before the division by its count.
struct StepLoss {
  double numerator = 0, count = 0;
  std::map<std::string, std::pair<double, double>> metrics;  ///< sum, how many
};

/// Scores the micro-batches of one step under `policy` and takes their loss. With `learn`, gradients of the numerator are
/// left in the parameters, `before_backward` (with the step's count) is called where a step is one micro-batch, `after_backward`
/// after each micro-batch, and the algorithm updates its state first.
/// All else that the algorithm reads (reference, mismatched) must be in the micro-batches.
///
/// Rationale: a loss over the whole step needs every score before any gradient. A step of several micro-batches is then
/// scored twice: once without a graph, which gives each unit's coefficient dL / d logprob, and once to send it back.
StepLoss step_loss(Algorithm& algorithm, const TrainedPolicy& policy, std::span<MicroBatch> micros, bool learn,
                   const std::function<void()>& after_backward, const std::function<void(double count)>& before_backward = {});

/// The scores of several micro-batches as those of one.
Scores merge(std::span<const MicroBatch> micros);

}  // namespace attune
