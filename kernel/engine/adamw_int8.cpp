// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/adamw_int8.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "attune/error.h"
#include "nn/dynamic_code.h"
#include "nn/parallel.h"

namespace attune {
namespace {

using nn::DynamicCode;

/// The numbers of one step that all elements share.
struct Step {
  float divisor, beta1, beta2, eps, shrink;
  float rate;         ///< learning rate / (1 - beta1^t)
  float root_factor;  ///< 1 / sqrt(1 - beta2^t)
};

ATTUNE_FOR_EACH_CPU void step_loop(float* w, const float* g, float* m, float* root, int64_t n, const Step& step) {
  for (int64_t i = 0; i < n; ++i) {
    const float gradient = g[i] / step.divisor;
    m[i] = step.beta1 * m[i] + (1 - step.beta1) * gradient;
    root[i] = std::sqrt(step.beta2 * (root[i] * root[i]) + (1 - step.beta2) * (gradient * gradient));
    w[i] = w[i] * step.shrink - step.rate * m[i] / (root[i] * step.root_factor + step.eps);
  }
}

void unpack(const uint8_t* codes, float scale, const DynamicCode& code, float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = code.value(codes[i]) * scale;
}

/// `least`: the code of the smallest value that anything above zero may have.
float pack(float* x, const DynamicCode& code, uint8_t least, uint8_t* codes, int64_t n) {
  const float scale = nn::largest_size(x, n), inverse = scale > 0 ? 1 / scale : 0;
  for (int64_t i = 0; i < n; ++i) {
    const uint8_t nearest = code.nearest(x[i] * inverse);
    codes[i] = x[i] > 0 ? std::max(nearest, least) : nearest;
  }
  return scale;
}

}  // namespace

AdamWInt8::AdamWInt8(const std::vector<Parameter>& parameters, const std::vector<at::Tensor>& masters, const Json& options)
    : small_(parameters, masters, options, [](const Parameter& parameter) { return parameter.tensor.numel() < kSmallest; }),
      beta1_(options.at("betas").at(0)),
      beta2_(options.at("betas").at(1)),
      eps_(options.at("eps")),
      weight_decay_(options.at("weight_decay")) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    Slot& slot = slots_.emplace_back(Slot{parameters[i].name, parameters[i].decay, parameters[i].rate});
    const int64_t n = masters[i].numel(), blocks = (n + kBlock - 1) / kBlock;
    if (n < kSmallest) continue;
    if (!masters[i].is_cpu() || !masters[i].is_contiguous())
      throw Error("optimizer.states = \"int8\" works on CPUs; set states = \"float32\"", ATTUNE_E_UNSUPPORTED);
    slot.m = at::full({n}, int64_t(DynamicCode::with_sign().nearest(0)), at::kByte);
    slot.root = at::full({n}, int64_t(DynamicCode::without_sign().nearest(0)), at::kByte);
    slot.m_scale = at::zeros({blocks}, at::kFloat);
    slot.root_scale = at::zeros({blocks}, at::kFloat);
    slot.steps = at::zeros({}, at::kFloat);
  }
}

void AdamWInt8::move(Slot& slot, const Update& update, double learning_rate, double divisor) {
  slot.steps.add_(1);
  const double t = slot.steps.item<double>(), rate = learning_rate * slot.rate;
  const Step step = {.divisor = float(divisor),
                     .beta1 = float(beta1_),
                     .beta2 = float(beta2_),
                     .eps = float(eps_),
                     .shrink = float(1 - (slot.decay ? rate * weight_decay_ : 0)),
                     .rate = float(rate / (1 - std::pow(beta1_, t))),
                     .root_factor = float(1 / std::sqrt(1 - std::pow(beta2_, t)))};
  const at::Tensor gradient = update.gradient.contiguous();
  const auto* g = gradient.const_data_ptr<float>();
  auto* w = update.weight.data_ptr<float>();
  auto *m = slot.m.data_ptr<uint8_t>(), *root = slot.root.data_ptr<uint8_t>();
  auto *m_scale = slot.m_scale.data_ptr<float>(), *root_scale = slot.root_scale.data_ptr<float>();
  const DynamicCode &with_sign = DynamicCode::with_sign(), &without = DynamicCode::without_sign();
  const int64_t n = update.weight.numel();
  nn::parallel(slot.m_scale.numel(), 64, [&](int64_t first, int64_t end) {
    float m_block[kBlock], root_block[kBlock];
    for (int64_t block = first; block < end; ++block) {
      const int64_t at = block * kBlock, size = std::min(kBlock, n - at);
      unpack(m + at, m_scale[block], with_sign, m_block, size);
      unpack(root + at, root_scale[block], without, root_block, size);
      step_loop(w + at, g + at, m_block, root_block, size, step);
      m_scale[block] = pack(m_block, with_sign, 0, m + at, size);
      root_scale[block] = pack(root_block, without, 1, root + at, size);
    }
  });
}

void AdamWInt8::apply(std::span<const Update> updates, double learning_rate, double divisor) {
  std::vector<Update> small;
  for (const Update& update : updates) {
    Slot& slot = slots_[update.index];
    if (slot.m.defined()) move(slot, update, learning_rate, divisor);
    else small.push_back(update);
  }
  if (!small.empty()) small_.apply(small, learning_rate, divisor);
}

NamedTensors AdamWInt8::state() const {
  NamedTensors tensors = small_.state();
  for (const Slot& slot : slots_) {
    if (!slot.m.defined()) continue;
    tensors.emplace_back("m/" + slot.name, slot.m);
    tensors.emplace_back("m_scale/" + slot.name, slot.m_scale);
    tensors.emplace_back("root/" + slot.name, slot.root);
    tensors.emplace_back("root_scale/" + slot.name, slot.root_scale);
    tensors.emplace_back("steps/" + slot.name, slot.steps);
  }
  return tensors;
}

}  // namespace attune
