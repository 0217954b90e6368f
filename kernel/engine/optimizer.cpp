// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/optimizer.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>
#include <set>

#include "kernel/engine/wide_norm.h"

namespace attune {

Schedule::Schedule(const Json& schedule, double learning_rate, int64_t steps)
    : shape_(schedule.value("use", "constant")),
      learning_rate_(learning_rate),
      min_ratio_(schedule.value("min_ratio", 0.0)),
      warmup_(schedule.value("warmup_steps", int64_t(0))),
      steps_(steps) {}

double Schedule::at(int64_t step) const {
  if (step <= warmup_) return learning_rate_ * double(step) / double(warmup_);
  if (shape_ == "constant") return learning_rate_;
  // Step 1 (after warm-up) has the full rate; the rate would reach its floor one step after the last.
  const double done = double(step - 1 - warmup_) / double(std::max<int64_t>(1, steps_ - warmup_));
  const double fall = shape_ == "linear" ? 1 - done : 0.5 * (1 + std::cos(std::numbers::pi * done));
  return learning_rate_ * (min_ratio_ + (1 - min_ratio_) * fall);
}

AdamW::AdamW(std::vector<Parameter> trainable, const Json& options)
    : trainable_(std::move(trainable)),
      beta1_(options.at("betas").at(0)),
      beta2_(options.at("betas").at(1)),
      eps_(options.at("eps")),
      weight_decay_(options.at("weight_decay")) {
  for (const Parameter& parameter : trainable_) {
    const at::Tensor weight = parameter.tensor.detach();
    master_.push_back(weight.scalar_type() == at::kFloat ? weight : weight.to(at::kFloat));
    gradient_.emplace_back();
    m_.push_back(at::zeros_like(master_.back()));
    v_.push_back(at::zeros_like(master_.back()));
    count_.push_back(at::zeros({}, at::kFloat).to(weight.device()));
  }
}

void AdamW::accumulate() {
  for (size_t i = 0; i < trainable_.size(); ++i) {
    at::Tensor& from = trainable_[i].tensor.mutable_grad();
    if (!from.defined()) continue;
    if (from.scalar_type() == at::kFloat) {  // Autograd itself adds the next micro-batch in place.
      gradient_[i] = from;
      continue;
    }
    if (!gradient_[i].defined()) gradient_[i] = from.to(at::kFloat);
    else gradient_[i].add_(from);
    from.reset();
  }
}

AdamW::Result AdamW::step(double learning_rate, double count, double clip) {
  std::vector<at::Tensor> squares;
  for (const at::Tensor& gradient : gradient_) {
    if (gradient.defined()) squares.push_back(wide_norm(gradient));
  }
  const double norm = squares.empty() ? 0.0 : at::linalg_vector_norm(at::stack(squares), 2).item<double>() / count;
  const bool finite = std::isfinite(norm);
  if (finite) {
    const double scale = clip > 0 && norm > clip ? clip / norm : 1.0;
    // The fused kernel divides gradients by grad_scale.
    const at::Tensor divisor = at::full({}, count / scale, at::TensorOptions(master_.front().device()).dtype(at::kFloat));
    std::set<std::pair<bool, float>> groups;
    for (const Parameter& parameter : trainable_) groups.insert({parameter.decay, parameter.rate});
    for (const auto& [decay, rate] : groups) {
      std::vector<at::Tensor> weights, gradients, m, v, counts;
      for (size_t i = 0; i < trainable_.size(); ++i) {
        if (trainable_[i].decay != decay || trainable_[i].rate != rate || !gradient_[i].defined()) continue;
        count_[i].add_(1);
        weights.push_back(master_[i]), gradients.push_back(gradient_[i]);
        m.push_back(m_[i]), v.push_back(v_[i]), counts.push_back(count_[i]);
      }
      if (weights.empty()) continue;
      at::_fused_adamw_(weights, gradients, m, v, {}, counts, learning_rate * rate, beta1_, beta2_, decay ? weight_decay_ : 0.0, eps_,
                        /*amsgrad=*/false, /*maximize=*/false, divisor);
    }
    publish();
  }
  discard();
  return {norm, finite};
}

void AdamW::discard() {
  for (size_t i = 0; i < trainable_.size(); ++i) {
    gradient_[i].reset();
    trainable_[i].tensor.mutable_grad().reset();
  }
}

void AdamW::restored() { publish(); }

void AdamW::publish() {
  for (size_t i = 0; i < trainable_.size(); ++i) {
    at::Tensor weight = trainable_[i].tensor.detach();
    if (weight.scalar_type() != at::kFloat) weight.copy_(master_[i]);
  }
}

std::vector<std::pair<std::string, at::Tensor>> AdamW::state() const {
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (size_t i = 0; i < trainable_.size(); ++i) {
    tensors.emplace_back("weight/" + trainable_[i].name, master_[i]);
    tensors.emplace_back("m/" + trainable_[i].name, m_[i]);
    tensors.emplace_back("v/" + trainable_[i].name, v_[i]);
    tensors.emplace_back("steps/" + trainable_[i].name, count_[i]);
  }
  return tensors;
}

std::vector<std::string> AdamW::without_gradient() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < trainable_.size(); ++i) {
    if (trainable_[i].sparse) continue;
    if (!gradient_[i].defined() || !gradient_[i].any().item<bool>()) names.push_back(trainable_[i].name);
  }
  return names;
}

}  // namespace attune
