// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/muon.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "attune/error.h"

namespace attune {
namespace {

double scale_of(const Parameter& parameter, const std::string& convention) {
  double out = double(parameter.tensor.size(0)), in = double(parameter.tensor.size(1));
  if (parameter.transposed) std::swap(out, in);
  return convention == "match_rms_adamw" ? 0.2 * std::sqrt(std::max(out, in)) : std::sqrt(std::max(1.0, out / in));
}

}  // namespace

at::Tensor orthogonal(const at::Tensor& matrix, at::ScalarType dtype) {
  constexpr double a = 3.4445, b = -4.7750, c = 2.0315;
  const bool tall = matrix.size(0) > matrix.size(1);
  at::Tensor x = matrix.to(dtype, /*non_blocking=*/false, /*copy=*/true);
  if (tall) x = x.t();
  x.div_(at::linalg_vector_norm(x).clamp_min(1e-7));
  for (int step = 0; step < 5; ++step) {
    const at::Tensor gram = at::mm(x, x.t());
    x = at::addmm(x, at::addmm(gram, gram, gram, b, c), x, a);
  }
  return tall ? x.t() : x;
}

Muon::Muon(const std::vector<Parameter>& parameters, const std::vector<at::Tensor>& masters, const Json& options)
    : rest_(parameters, masters, options, [](const Parameter& parameter) { return !is_hidden_matrix(parameter); }),
      momentum_(options.value("momentum", 0.95)),
      weight_decay_(options.at("weight_decay")),
      adamw_rate_(options.value("adamw_rate", 1.0)),
      nesterov_(options.value("nesterov", true)),
      dtype_(options.value("newton_schulz", "float32") == "bfloat16" ? at::kBFloat16 : at::kFloat) {
  const std::string convention = options.value("scale", "original");
  bool any = false;
  for (size_t i = 0; i < parameters.size(); ++i) {
    Slot& slot = slots_.emplace_back(Slot{parameters[i].name, parameters[i].decay, parameters[i].rate, 1});
    if (!is_hidden_matrix(parameters[i])) continue;
    any = true;
    slot.scale = scale_of(parameters[i], convention);
    slot.momentum = at::zeros_like(masters[i]);
  }
  if (!any) throw Error("optimizer.use = \"muon\" moves hidden matrices, and none of the trainable parameters is one; use adamw");
}

void Muon::move(Slot& slot, const Update& update, double learning_rate, double divisor) {
  at::Tensor weight = update.weight;
  const at::Tensor g = update.gradient.div_(divisor);
  slot.momentum.lerp_(g, 1 - momentum_);
  const at::Tensor direction = orthogonal(nesterov_ ? g.lerp(slot.momentum, momentum_) : slot.momentum, dtype_);
  const double rate = learning_rate * slot.rate;
  if (slot.decay) weight.mul_(1 - rate * weight_decay_);
  weight.add_(direction, -rate * slot.scale);
}

void Muon::apply(std::span<const Update> updates, double learning_rate, double divisor) {
  std::vector<Update> rest;
  for (const Update& update : updates) {
    Slot& slot = slots_[update.index];
    if (slot.momentum.defined()) move(slot, update, learning_rate, divisor);
    else rest.push_back(update);
  }
  if (!rest.empty()) rest_.apply(rest, learning_rate * adamw_rate_, divisor);
}

NamedTensors Muon::state() const {
  NamedTensors tensors = rest_.state();
  for (const Slot& slot : slots_) {
    if (slot.momentum.defined()) tensors.emplace_back("momentum/" + slot.name, slot.momentum);
  }
  return tensors;
}

}  // namespace attune
