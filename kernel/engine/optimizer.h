// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "attune/model.h"
#include "kernel/engine/update_rule.h"
#include "kernel/host/json.h"

namespace attune {

/// Collects gradients over an optimizer step and has an update rule move fp32 master weights by them. Gradients are sums;
/// `step` divides them.
///
/// With in_backward each parameter is updated, and its gradient freed, as soon as the backward pass has its gradient (Lv et
/// al., 2024), so that no two whole gradients are in memory. A step is then one backward pass, between `begin` and `step`,
/// and cannot clip.
class Optimizer {
 public:
  /// `options`: the table [optimizer]. With in_backward the parameters require gradients and outlive the optimizer.
  Optimizer(std::vector<Parameter> trainable, const Json& options);
  ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// in_backward: what the updates of the next backward pass need to know beforehand.
  void begin(double learning_rate, double count);
  /// Adds the model's gradients of one micro-batch to the step's and drops them from the model.
  void accumulate();
  struct Result {
    double gradient_norm;  ///< of the divided gradient, before clipping
    bool finite;
  };
  /// Divides by `count`, clips the global norm to `clip` (0: off), updates, clears. A gradient that is not finite changes
  /// nothing; with in_backward, nothing of its own parameter.
  Result step(double learning_rate, double count, double clip);

  /// Drops the step's gradients.
  void discard();

  /// Every tensor that changes over time: master weights ("weight/NAME") and the rule's.
  NamedTensors state() const;
  /// After state tensors were overwritten: brings the model's weights in line.
  void restored();
  /// Names of parameters, sparse ones aside, whose gradient in the last step was absent or zero everywhere.
  std::vector<std::string> without_gradient() const;
  /// The fp32 weight of each trainable parameter, in their order.
  const std::vector<at::Tensor>& masters() const { return master_; }
  const std::vector<Parameter>& trainable() const { return trainable_; }
  bool in_backward() const { return in_backward_; }

 private:
  void publish(size_t i);
  void take(size_t i);
  void update_now(size_t i);
  double norm() const;

  std::vector<Parameter> trainable_;
  std::vector<at::Tensor> master_, gradient_;
  std::vector<at::Tensor> norm_;  ///< of each gradient of the last step, fp64; undefined: it had none
  std::unique_ptr<UpdateRule> rule_;
  bool in_backward_;
  double next_rate_ = 0, next_count_ = 1;
};

}  // namespace attune
