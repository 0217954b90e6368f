// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "attune/algorithm.h"
#include "attune/model.h"
#include "kernel/host/json.h"

namespace attune {

/// A parameter whose gradient is ready. `index` counts the trainable ones, `weight` is its fp32 master, `gradient` an fp32
/// sum that the rule may overwrite.
struct Update {
  size_t index;
  at::Tensor weight, gradient;
};

/// How gradients move weights, and what it remembers between steps. Parameters do not influence each other, so that they
/// may be updated in any order, together or apart, with the same bits.
class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  /// Moves the weights by gradient / divisor. A parameter's own rate multiplies `learning_rate`.
  virtual void apply(std::span<const Update> updates, double learning_rate, double divisor) = 0;
  /// Every tensor that changes over time, as KIND/NAME.
  virtual NamedTensors state() const = 0;
};

/// The rule that [optimizer] names: adamw, sgd or muon. `masters` are the parameters' fp32 weights.
std::unique_ptr<UpdateRule> make_update_rule(const Json& optimizer, const std::vector<Parameter>& parameters,
                                             const std::vector<at::Tensor>& masters);

/// Bytes that the rule remembers of a parameter with so many elements. `hidden`: see is_hidden_matrix.
int64_t state_bytes(const Json& optimizer, int64_t elements, bool hidden);

/// Whether it is a weight matrix between hidden layers: no embedding, head, router, norm or bias.
bool is_hidden_matrix(const Parameter& parameter);

}  // namespace attune
