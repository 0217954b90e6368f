// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace attune::nn {

/// Largest of n values, and the sum of exp(z - largest). NaN gives a NaN sum.
struct Peak {
  float largest;
  double sum;
};
Peak peak(const float* z, int64_t n);

/// z = factor * exp(z - shift).
void scaled_exp(float* z, int64_t n, float shift, float factor);

}  // namespace attune::nn
