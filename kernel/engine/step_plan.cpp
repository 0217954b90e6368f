// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/step_plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernel/engine/random.h"
#include "kernel/host/exit.h"

namespace attune {

StepPlan::StepPlan(const Json& train, const Json& data, uint64_t seed,
                   const std::vector<int64_t>& sizes, std::function<int64_t(int64_t)> tokens_of,
                   std::optional<Known> known)
    : seed_(seed),
      sizes_(sizes),
      drawn_(sizes.size()),
      taken_(sizes.size()),
      shuffle_(train.value("shuffle", true)),
      by_tokens_(data.value("mix", "samples") == "tokens"),
      tokens_of_(std::move(tokens_of)) {
  for (size_t i = 0; i < sizes.size(); ++i) {
    firsts_.push_back(size_);
    size_ += sizes[i];
    if (const double weight = data.at("train")[i].value("weight", 0.0); weight > 0)
      weights_.resize(sizes.size()), weights_[i] = weight;
    if (!weights_.empty() && weights_[i] > 0 && sizes[i] == 0)
      throw ExitError(Exit::kData, "an entry of the mixture has no sample left");
  }
  if (known) {
    ends_ = std::move(known->ends);
    mixture_ = std::move(known->mixture);
    return;
  }
  const int64_t steps = train.value("steps", int64_t(0)),
                budget = train.value("tokens", int64_t(0));
  const int64_t samples_per_step = train.value("samples_per_step", int64_t(0));
  const int64_t tokens_per_step = train.value("tokens_per_step", int64_t(0));
  const bool bounded = steps > 0 || budget > 0;
  const int64_t last =
      bounded ? INT64_MAX : int64_t(std::llround(train.value("epochs", 1.0) * double(size_)));

  int64_t position = 0, tokens = 0;
  const auto take = [&] {
    while (!weights_.empty() && int64_t(mixture_.size()) <= position) extend_mixture();
    const int64_t n = tokens_of_(index_at(position));
    if (position++ >= size_ && tokens == 0)
      throw ExitError(Exit::kData, "no sample of the training data has a token to learn from");
    tokens += n;
    return n;
  };
  while (position < last && (steps == 0 || int64_t(ends_.size()) < steps) &&
         (budget == 0 || tokens < budget)) {
    if (samples_per_step > 0 && budget == 0) {
      position = std::min(position + samples_per_step, last);
    } else if (samples_per_step > 0) {
      for (int64_t n = 0; n < samples_per_step && tokens < budget; ++n) take();
    } else {
      for (int64_t n = 0;
           n < tokens_per_step && position < last && (budget == 0 || tokens < budget);)
        n += take();
    }
    ends_.push_back(position);
    while (!weights_.empty() && int64_t(mixture_.size()) < position) extend_mixture();
  }
}

int64_t StepPlan::drawn(uint64_t stream, int64_t draw, int64_t size) const {
  const int64_t epoch = draw / size, index = draw % size;
  return shuffle_ ? shuffled(stream, epoch, index, size) : index;
}

void StepPlan::extend_mixture() {
  size_t next = weights_.size();
  for (size_t i = 0; i < weights_.size(); ++i) {
    if (weights_[i] > 0 &&
        (next == weights_.size() || taken_[i] / weights_[i] < taken_[next] / weights_[next]))
      next = i;
  }
  const int64_t index =
      firsts_[next] + drawn(RandomStream::mix(seed_ + next), drawn_[next]++, sizes_[next]);
  taken_[next] += by_tokens_ ? double(std::max<int64_t>(tokens_of_(index), 1)) : 1.0;
  mixture_.push_back(index);
}

int64_t StepPlan::index_at(int64_t position) const {
  return weights_.empty() ? drawn(seed_, position, size_) : mixture_[size_t(position)];
}

std::vector<int64_t> StepPlan::samples(int64_t step) const {
  std::vector<int64_t> indices;
  for (int64_t position = step > 1 ? ends_[size_t(step) - 2] : 0;
       position < ends_[size_t(step) - 1]; ++position) {
    indices.push_back(index_at(position));
  }
  return indices;
}

std::vector<int64_t> StepPlan::used() const {
  const int64_t end = ends_.empty() ? 0 : ends_.back();
  std::vector<int64_t> indices;
  if (weights_.empty() && end >= size_) {
    indices.resize(size_t(size_));
    std::iota(indices.begin(), indices.end(), int64_t(0));
    return indices;
  }
  for (int64_t position = 0; position < end; ++position) indices.push_back(index_at(position));
  std::ranges::sort(indices);
  const auto repeated = std::ranges::unique(indices);
  indices.erase(repeated.begin(), repeated.end());
  return indices;
}

}  // namespace attune
