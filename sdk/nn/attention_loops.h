// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace attune::nn {

/// A query's scores with n keys, of which it reaches [from, to): they become softmax(scale * scores), the rest 0.
/// Returns the log of the sum of exp(scale * score) over what it reaches.
float softmax_row(float* score, int64_t from, int64_t to, int64_t n, float scale);
double softmax_row(double* score, int64_t from, int64_t to, int64_t n, double scale);

/// The same from a known log-sum-exp: scores become probabilities p, and `gradient`, that of p, becomes that of the scores:
/// scale * p * (gradient - delta), where delta is the sum of p * gradient.
void softmax_row_backward(float* score, float* gradient, int64_t from, int64_t to, int64_t n, float scale, float lse, float delta);
void softmax_row_backward(double* score, double* gradient, int64_t from, int64_t to, int64_t n, double scale, double lse, double delta);

}  // namespace attune::nn
