// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel/engine/update_rule.h"

namespace attune {

/// Gradient descent with momentum as PyTorch has it (Sutskever et al., 2013, with the learning rate outside of the buffer):
///   g = gradient + weight_decay w (decay = "coupled", the default), b = momentum b + g,
///   w -= rate (nesterov ? g + momentum b : b); decay = "decoupled" shrinks w by rate weight_decay instead.
class Sgd final : public UpdateRule {
 public:
  Sgd(const std::vector<Parameter>& parameters, const std::vector<at::Tensor>& masters, const Json& options);
  void apply(std::span<const Update> updates, double learning_rate, double divisor) override;
  NamedTensors state() const override;

 private:
  struct Slot {
    std::string name;
    bool decay;
    float rate;
    at::Tensor momentum;  ///< undefined without momentum
  };
  std::vector<Slot> slots_;
  double momentum_, weight_decay_;
  bool nesterov_, coupled_;
};

}  // namespace attune
