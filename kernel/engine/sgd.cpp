// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/sgd.h"

#include <ATen/ATen.h>

namespace attune {

Sgd::Sgd(const std::vector<Parameter>& parameters, const std::vector<at::Tensor>& masters, const Json& options)
    : momentum_(options.value("momentum", 0.0)),
      weight_decay_(options.value("weight_decay", 0.0)),
      nesterov_(options.value("nesterov", false)),
      coupled_(options.value("decay", "coupled") == "coupled") {
  for (size_t i = 0; i < parameters.size(); ++i) {
    slots_.push_back({parameters[i].name, parameters[i].decay, parameters[i].rate, momentum_ > 0 ? at::zeros_like(masters[i]) : at::Tensor()});
  }
}

void Sgd::apply(std::span<const Update> updates, double learning_rate, double divisor) {
  for (const Update& update : updates) {
    Slot& slot = slots_[update.index];
    const double rate = learning_rate * slot.rate, decay = slot.decay ? weight_decay_ : 0.0;
    at::Tensor weight = update.weight, g = update.gradient;
    g.div_(divisor);
    if (decay > 0 && coupled_) g.add_(weight, decay);
    if (decay > 0 && !coupled_) weight.mul_(1 - rate * decay);
    if (slot.momentum.defined()) {
      slot.momentum.mul_(momentum_).add_(g);
      if (nesterov_) g.add_(slot.momentum, momentum_);
      else g = slot.momentum;
    }
    weight.sub_(g, rate);
  }
}

NamedTensors Sgd::state() const {
  NamedTensors tensors;
  for (const Slot& slot : slots_) {
    if (slot.momentum.defined()) tensors.emplace_back("momentum/" + slot.name, slot.momentum);
  }
  return tensors;
}

}  // namespace attune
