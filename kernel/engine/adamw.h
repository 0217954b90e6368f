// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "kernel/engine/update_rule.h"

namespace attune {

/// AdamW (Loshchilov and Hutter, 2019, algorithm 2) by LibTorch's fused kernel. Weight decay leaves norms and biases alone.
class AdamW final : public UpdateRule {
 public:
  /// For the parameters that `takes` takes; it is given no others.
  AdamW(const std::vector<Parameter>& parameters, const std::vector<at::Tensor>& masters, const Json& options,
        const std::function<bool(const Parameter&)>& takes);
  void apply(std::span<const Update> updates, double learning_rate, double divisor) override;
  NamedTensors state() const override;

 private:
  struct Slot {
    std::string name;
    bool decay = false;
    float rate = 1;
    at::Tensor m, v, steps;
  };
  std::vector<Slot> slots_;
  double beta1_, beta2_, eps_, weight_decay_;
};

}  // namespace attune
