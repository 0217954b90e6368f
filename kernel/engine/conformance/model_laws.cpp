// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/conformance/model_laws.h"

#include <ATen/ATen.h>

#include "kernel/engine/conformance/made_up.h"

namespace attune::conformance {

at::Tensor likelihoods(Model& model, const std::vector<Encoded>& samples) {
  return log_likelihood(model, pack(pointers(samples), model.shape().position_axes, at::kCPU));
}

double packing_gap(Model& model, const std::vector<Encoded>& samples) {
  const at::NoGradGuard no_grad;
  const at::Tensor packed = likelihoods(model, samples);
  double largest = 0;
  int64_t first = 0;
  for (const Encoded& sample : samples) {
    const int64_t units = int64_t(sample.units.size());
    largest = std::max(largest, relative_gap(packed.slice(0, first, first + units), likelihoods(model, {sample})));
    first += units;
  }
  return largest;
}

double likelihood_gap(Model& model, const std::vector<Encoded>& samples, const std::vector<Encoded>& others) {
  const at::NoGradGuard no_grad;
  return relative_gap(likelihoods(model, samples), likelihoods(model, others));
}

double cache_gap(Model& model, const std::vector<Encoded>& samples) {
  const at::NoGradGuard no_grad;
  const int64_t axes = model.shape().position_axes;
  const std::unique_ptr<Cache> cache = model.cache(int64_t(samples.size()), 64);
  std::vector<at::Tensor> stepped(samples.size());
  for (int64_t i = 0;; ++i) {
    Batch step;
    std::vector<int64_t> ids;
    std::vector<size_t> who;
    for (size_t s = 0; s < samples.size(); ++s) {
      if (i >= int64_t(samples[s].ids.size())) continue;
      step.segments.push_back({int64_t(ids.size()), int64_t(ids.size()) + 1, {}, int64_t(s)});
      ids.push_back(samples[s].ids[size_t(i)]);
      who.push_back(s);
    }
    if (ids.empty()) break;
    step.ids_N = at::tensor(ids, at::kLong);
    step.positions_AN = at::full({axes, int64_t(ids.size())}, i, at::kLong);
    const at::Tensor hidden = model.hidden(step, cache.get());
    for (size_t w = 0; w < who.size(); ++w) {
      at::Tensor& rows = stepped[who[w]];
      const at::Tensor row = hidden[int64_t(w)].unsqueeze(0);
      rows = rows.defined() ? at::cat({rows, row}) : row;
    }
  }
  double largest = 0;
  for (size_t s = 0; s < samples.size(); ++s) {
    const Encoded* alone[] = {&samples[s]};
    largest = std::max(largest, relative_gap(stepped[s], model.hidden(pack(alone, axes, at::kCPU).batch, nullptr)));
  }
  return largest;
}

}  // namespace attune::conformance
