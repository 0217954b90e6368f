// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/adamw.h"

#include <ATen/ATen.h>

#include <set>

namespace attune {

AdamW::AdamW(const std::vector<Parameter>& parameters, const std::vector<at::Tensor>& masters, const Json& options,
             const std::function<bool(const Parameter&)>& takes)
    : beta1_(options.at("betas").at(0)), beta2_(options.at("betas").at(1)), eps_(options.at("eps")), weight_decay_(options.at("weight_decay")) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    Slot& slot = slots_.emplace_back(Slot{parameters[i].name, parameters[i].decay, parameters[i].rate});
    if (!takes(parameters[i])) continue;
    slot.m = at::zeros_like(masters[i]);
    slot.v = at::zeros_like(masters[i]);
    slot.steps = at::zeros({}, at::kFloat).to(masters[i].device());
  }
}

void AdamW::apply(std::span<const Update> updates, double learning_rate, double divisor) {
  std::set<std::pair<bool, float>> groups;
  for (const Update& update : updates) groups.insert({slots_[update.index].decay, slots_[update.index].rate});
  for (const auto& [decay, rate] : groups) {
    std::vector<at::Tensor> weights, gradients, m, v, steps;
    for (const Update& update : updates) {
      Slot& slot = slots_[update.index];
      if (slot.decay != decay || slot.rate != rate) continue;
      weights.push_back(update.weight), gradients.push_back(update.gradient);
      m.push_back(slot.m), v.push_back(slot.v), steps.push_back(slot.steps);
    }
    at::_foreach_add_(steps, 1);
    // The fused kernel divides gradients by grad_scale.
    const at::Tensor scale = at::full({}, divisor, at::TensorOptions(weights.front().device()).dtype(at::kFloat));
    at::_fused_adamw_(weights, gradients, m, v, {}, steps, learning_rate * rate, beta1_, beta2_, decay ? weight_decay_ : 0.0, eps_,
                      /*amsgrad=*/false, /*maximize=*/false, scale);
  }
}

NamedTensors AdamW::state() const {
  NamedTensors tensors;
  for (const Slot& slot : slots_) {
    if (!slot.m.defined()) continue;
    tensors.emplace_back("m/" + slot.name, slot.m);
    tensors.emplace_back("v/" + slot.name, slot.v);
    tensors.emplace_back("steps/" + slot.name, slot.steps);
  }
  return tensors;
}

}  // namespace attune
