// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "attune/model.h"
#include "kernel/host/json.h"

namespace attune {

/// Learning rate of step 1, 2, ...: linear warm-up, then constant, linear or half a cosine down to min_ratio.
class Schedule {
 public:
  Schedule(const Json& schedule, double learning_rate, int64_t steps);
  double at(int64_t step) const;

 private:
  std::string shape_;
  double learning_rate_, min_ratio_;
  int64_t warmup_, steps_;
};

/// AdamW (Loshchilov and Hutter, 2019) by LibTorch's fused kernel, on fp32 master weights. Gradients are sums over an
/// optimizer step; `step` divides them. Weight decay leaves norms and biases alone.
class AdamW {
 public:
  AdamW(std::vector<Parameter> trainable, const Json& options);

  /// Adds the model's gradients of one micro-batch to the step's and drops them from the model.
  void accumulate();
  struct Result {
    double gradient_norm;  ///< of the divided gradient, before clipping
    bool finite;
  };
  /// Divides by `count`, clips the global norm to `clip` (0: off), updates, clears. A gradient that is not finite changes
  /// nothing.
  Result step(double learning_rate, double count, double clip);

  /// Drops the step's gradients.
  void discard();

  /// Every tensor that changes over time: master weights ("weight/NAME"), moments ("m/NAME", "v/NAME"), "steps/NAME".
  std::vector<std::pair<std::string, at::Tensor>> state() const;
  /// After state tensors were overwritten: brings the model's weights in line.
  void restored();
  /// Names of parameters, sparse ones aside, whose gradient in the current step is absent or zero everywhere.
  std::vector<std::string> without_gradient() const;
  /// The fp32 weight of each trainable parameter, in their order.
  const std::vector<at::Tensor>& masters() const { return master_; }
  const std::vector<Parameter>& trainable() const { return trainable_; }

 private:
  void publish();

  std::vector<Parameter> trainable_;
  std::vector<at::Tensor> master_, gradient_, m_, v_, count_;
  double beta1_, beta2_, eps_, weight_decay_;
};

}  // namespace attune
