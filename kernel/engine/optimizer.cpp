// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/optimizer.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <cmath>
#include <functional>
#include <utility>

#include "attune/error.h"
#include "kernel/engine/wide_norm.h"

namespace attune {
namespace {

struct Hook final : torch::autograd::PostAccumulateGradHook {
  explicit Hook(std::function<void()> call) : call(std::move(call)) {}
  void operator()(const at::Tensor&) override { call(); }
  std::function<void()> call;
};

}  // namespace

Optimizer::Optimizer(std::vector<Parameter> trainable, const Json& options)
    : trainable_(std::move(trainable)), gradient_(trainable_.size()), norm_(trainable_.size()), in_backward_(options.value("in_backward", false)) {
  for (const Parameter& parameter : trainable_) {
    const at::Tensor weight = parameter.tensor.detach();
    master_.push_back(weight.scalar_type() == at::kFloat ? weight : weight.to(at::kFloat));
  }
  rule_ = make_update_rule(options, trainable_, master_);
  for (size_t i = 0; in_backward_ && i < trainable_.size(); ++i)
    torch::autograd::impl::set_post_acc_grad_hooks(trainable_[i].tensor, std::make_unique<Hook>([this, i] { update_now(i); }));
}

Optimizer::~Optimizer() {
  for (size_t i = 0; in_backward_ && i < trainable_.size(); ++i) torch::autograd::impl::set_post_acc_grad_hooks(trainable_[i].tensor, nullptr);
}

void Optimizer::begin(double learning_rate, double count) {
  for (at::Tensor& norm : norm_) norm.reset();
  next_rate_ = learning_rate, next_count_ = count;
}

void Optimizer::update_now(size_t i) {
  const at::NoGradGuard no_grad;
  if (norm_[i].defined()) throw Error(trainable_[i].name + ": a second gradient in one step; optimizer.in_backward takes one backward pass a step", ATTUNE_E_INTERNAL);
  take(i);
  norm_[i] = wide_norm(gradient_[i]);
  if (std::isfinite(norm_[i].item<double>())) {
    const Update update = {i, master_[i], gradient_[i]};
    rule_->apply({&update, 1}, next_rate_, next_count_);
    publish(i);
  }
  gradient_[i].reset();
  trainable_[i].tensor.mutable_grad().reset();
}

void Optimizer::take(size_t i) {
  at::Tensor& from = trainable_[i].tensor.mutable_grad();
  if (!from.defined()) return;
  if (from.scalar_type() == at::kFloat) {  // Autograd itself adds the next micro-batch in place.
    gradient_[i] = from;
    return;
  }
  if (!gradient_[i].defined()) gradient_[i] = from.to(at::kFloat);
  else gradient_[i].add_(from);
  from.reset();
}

void Optimizer::accumulate() {
  for (size_t i = 0; i < trainable_.size(); ++i) take(i);
}

double Optimizer::norm() const {
  std::vector<at::Tensor> norms;
  for (const at::Tensor& norm : norm_) {
    if (norm.defined()) norms.push_back(norm);
  }
  return norms.empty() ? 0.0 : at::linalg_vector_norm(at::stack(norms), 2).item<double>();
}

Optimizer::Result Optimizer::step(double learning_rate, double count, double clip) {
  if (in_backward_) {
    const double size = norm() / count;
    return {size, std::isfinite(size)};
  }
  for (size_t i = 0; i < trainable_.size(); ++i) norm_[i] = gradient_[i].defined() ? wide_norm(gradient_[i]) : at::Tensor();
  const double size = norm() / count;
  if (std::isfinite(size)) {
    const double scale = clip > 0 && size > clip ? clip / size : 1.0;
    std::vector<Update> updates;
    for (size_t i = 0; i < trainable_.size(); ++i) {
      if (gradient_[i].defined()) updates.push_back({i, master_[i], gradient_[i]});
    }
    if (!updates.empty()) rule_->apply(updates, learning_rate, count / scale);
    restored();
  }
  discard();
  return {size, std::isfinite(size)};
}

void Optimizer::discard() {
  for (size_t i = 0; i < trainable_.size(); ++i) {
    gradient_[i].reset();
    trainable_[i].tensor.mutable_grad().reset();
  }
}

void Optimizer::restored() {
  for (size_t i = 0; i < trainable_.size(); ++i) publish(i);
}

void Optimizer::publish(size_t i) {
  at::Tensor weight = trainable_[i].tensor.detach();
  if (weight.scalar_type() != at::kFloat) weight.copy_(master_[i]);
}

NamedTensors Optimizer::state() const {
  NamedTensors tensors;
  for (size_t i = 0; i < trainable_.size(); ++i) tensors.emplace_back("weight/" + trainable_[i].name, master_[i]);
  for (auto& entry : rule_->state()) tensors.push_back(std::move(entry));
  return tensors;
}

std::vector<std::string> Optimizer::without_gradient() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < trainable_.size(); ++i) {
    if (trainable_[i].sparse) continue;
    if (!norm_[i].defined() || norm_[i].item<double>() == 0) names.push_back(trainable_[i].name);
  }
  return names;
}

}  // namespace attune
