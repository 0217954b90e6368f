// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace attune {

struct Sampling {
  double temperature = 0;  ///< 0: greedy
  int64_t top_k = 0;       ///< 0: off
  double top_p = 1;        ///< 1: off
};

struct Sampled {
  int64_t id;
  double logprob;  ///< under the model's full distribution, nats
};

/// Picks a token from one row of logits. `uniform` in [0, 1) decides; greedy ignores it. Temperature first, then the top k,
/// then the smallest set of likeliest tokens whose probability reaches top_p (Holtzman et al., 2020).
Sampled sample(std::span<const float> logits, const Sampling& sampling, double uniform);

}  // namespace attune
