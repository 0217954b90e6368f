// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace attune {

Sampled sample(std::span<const float> logits, const Sampling& sampling, double uniform) {
  const auto top = std::max_element(logits.begin(), logits.end());
  const double highest = *top;
  double total = 0;
  for (const float logit : logits) total += std::exp(double(logit) - highest);
  const double log_total = highest + std::log(total);
  const auto picked = [&](int64_t id) { return Sampled{id, double(logits[size_t(id)]) - log_total}; };
  if (sampling.temperature <= 0) return picked(top - logits.begin());

  std::vector<int64_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), int64_t(0));
  // Likeliest first; equal logits by id, so that the order is the same everywhere.
  const auto before = [&](int64_t a, int64_t b) {
    return logits[size_t(a)] != logits[size_t(b)] ? logits[size_t(a)] > logits[size_t(b)] : a < b;
  };
  const size_t keep = sampling.top_k > 0 ? std::min(size_t(sampling.top_k), ids.size()) : ids.size();
  if (keep < ids.size()) {
    std::partial_sort(ids.begin(), ids.begin() + std::ptrdiff_t(keep), ids.end(), before);
    ids.resize(keep);
  } else if (sampling.top_p < 1) {
    std::sort(ids.begin(), ids.end(), before);
  }

  std::vector<double> weights(ids.size());
  double mass = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    mass += weights[i] = std::exp((double(logits[size_t(ids[i])]) - highest) / sampling.temperature);
  }
  if (sampling.top_p < 1) {
    const double wanted = sampling.top_p * mass;
    double reached = 0;
    size_t n = 0;
    while (n < ids.size() && (n == 0 || reached < wanted)) reached += weights[n++];
    ids.resize(n);
    mass = reached;
  }
  double left = uniform * mass;
  for (size_t i = 0; i < ids.size(); ++i) {
    left -= weights[i];
    if (left < 0) return picked(ids[i]);
  }
  return picked(ids.back());
}

}  // namespace attune
