// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/step_loss.h"

#include <ATen/ATen.h>

namespace attune {
namespace {

int64_t count_of(Unit unit, const Scores& scores, size_t samples) {
  switch (unit) {
    case Unit::kToken: return scores.sequence_U.size(0);
    case Unit::kSequence: return scores.length_B.size(0);
    case Unit::kPair: return scores.chosen_P.size(0);
    case Unit::kSample: return int64_t(samples);
  }
  throw Error("unknown unit of a loss");
}

void drop_graph(Scores& scores) { scores.logprob_U = scores.uniform_U = scores.collision_U = scores.divergence_U = scores.value_MK = at::Tensor(); }

/// Sums what the losses of a step say. Numbers stay on their device until total(), which waits for it once.
class Gathered {
 public:
  void add(const Loss& loss, double count) {
    total_.count += count;
    later(loss.numerator, total_.numerator);
    for (const Metric& metric : loss.metrics) {
      auto& [sum, n] = total_.metrics[metric.name];
      later(metric.values.detach().sum(at::kDouble), sum);
      n += double(metric.values.numel());
    }
  }
  StepLoss& total() {
    if (numbers_.empty()) return total_;
    const at::Tensor numbers = at::stack(numbers_).to(at::kCPU);
    for (size_t i = 0; i < sums_.size(); ++i) *sums_[i] += numbers.const_data_ptr<double>()[i];
    numbers_.clear(), sums_.clear();
    return total_;
  }

 private:
  void later(const at::Tensor& number, double& sum) {
    numbers_.push_back(number.detach().to(at::kDouble).reshape({}));
    sums_.push_back(&sum);
  }

  StepLoss total_;
  std::vector<at::Tensor> numbers_;
  std::vector<double*> sums_;
};

StepLoss in_two_passes(Algorithm& algorithm, const TrainedPolicy& policy, std::span<MicroBatch> micros, bool learn,
                       const std::function<void()>& after_backward) {
  const Needs needs = algorithm.needs();
  {
    const at::NoGradGuard no_grad;
    for (MicroBatch& micro : micros) score(policy.model, policy.value, policy.teacher, needs, micro);
  }
  Scores all = merge(micros);
  if (learn) algorithm.observe(all);
  all.logprob_U.set_requires_grad(learn);
  if (needs.uniform) all.uniform_U.set_requires_grad(learn);
  const Loss loss = algorithm.loss(all);
  size_t samples = 0;
  for (const MicroBatch& micro : micros) samples += micro.units.size();
  Gathered gathered;
  gathered.add(loss, double(count_of(loss.unit, all, samples)));
  if (!learn) return gathered.total();

  loss.numerator.backward();
  const auto coefficient = [](const at::Tensor& of) { return of.grad().defined() ? of.grad() : at::zeros_like(of); };
  const at::Tensor c_U = coefficient(all.logprob_U), d_U = needs.uniform ? coefficient(all.uniform_U) : at::Tensor();
  int64_t first = 0;
  for (MicroBatch& micro : micros) {
    score(policy.model, policy.value, policy.teacher, {.uniform = needs.uniform}, micro);
    const int64_t end = first + micro.scores.logprob_U.size(0);
    at::Tensor weighted = (c_U.slice(0, first, end) * micro.scores.logprob_U).sum();
    if (needs.uniform) weighted = weighted + (d_U.slice(0, first, end) * micro.scores.uniform_U).sum();
    weighted.backward();
    after_backward();
    first = end;
    drop_graph(micro.scores);
  }
  return gathered.total();
}

}  // namespace

Scores merge(std::span<const MicroBatch> micros) {
  const auto joined = [&](at::Tensor Scores::* field, at::Tensor Scores::* counted) {
    std::vector<at::Tensor> parts;
    int64_t offset = 0;
    for (const MicroBatch& micro : micros) {
      const at::Tensor& part = micro.scores.*field;
      if (!part.defined()) return at::Tensor();
      parts.push_back(counted ? part + offset : part);
      if (counted == &Scores::sample_B) offset += int64_t(micro.units.size());
      else if (counted) offset += (micro.scores.*counted).size(0);
    }
    return at::cat(parts);
  };
  Scores all;
  for (at::Tensor Scores::* field : {&Scores::logprob_U, &Scores::reference_U, &Scores::weight_U, &Scores::uniform_U,
                                     &Scores::collision_U, &Scores::length_B, &Scores::rank_B, &Scores::rating_B,
                                     &Scores::desirable_B, &Scores::ratio_B, &Scores::safe_B, &Scores::class_B, &Scores::step_M, &Scores::value_MK,
                                     &Scores::mismatched_S, &Scores::mismatched_reference_S}) {
    all.*field = joined(field, nullptr);
  }
  for (at::Tensor Scores::* field : {&Scores::sequence_U, &Scores::mark_M, &Scores::chosen_P, &Scores::rejected_P}) {
    all.*field = joined(field, &Scores::length_B);
  }
  all.sample_B = joined(&Scores::sample_B, &Scores::sample_B);
  return all;
}

StepLoss step_loss(Algorithm& algorithm, const TrainedPolicy& policy, std::span<MicroBatch> micros, bool learn,
                   const std::function<void()>& after_backward, const std::function<void(double count)>& before_backward) {
  const Needs needs = algorithm.needs();
  if (needs.whole_step && (needs.values > 0 || needs.divergence.kind != DivergenceKind::kNone)) {
    throw Error("a loss on values or divergences cannot ask for whole steps");
  }
  if (needs.whole_step && micros.size() > 1) return in_two_passes(algorithm, policy, micros, learn, after_backward);
  Gathered gathered;
  for (MicroBatch& micro : micros) {
    {
      const at::AutoGradMode mode(learn);
      score(policy.model, policy.value, policy.teacher, needs, micro);
    }
    if (learn && needs.whole_step) {
      const at::NoGradGuard no_grad;
      algorithm.observe(micro.scores);
    }
    const at::AutoGradMode mode(learn);
    const Loss loss = algorithm.loss(micro.scores);
    const auto count = double(count_of(loss.unit, micro.scores, micro.units.size()));
    if (learn) {
      if (before_backward && micros.size() == 1) before_backward(count);
      loss.numerator.backward();
      after_backward();
    }
    gathered.add(loss, count);
    drop_graph(micro.scores);
  }
  return gathered.total();
}

}  // namespace attune
