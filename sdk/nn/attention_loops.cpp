// SPDX-License-Identifier: Apache-2.0
#include "nn/attention_loops.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/exp_loop.h"
#include "nn/parallel.h"

namespace attune::nn {
namespace {

constexpr int64_t kLanes = 16;

template <typename T>
[[gnu::always_inline]] inline T softmax(T* z, int64_t n, T scale) {
  T lanes[kLanes];
  std::fill(lanes, lanes + kLanes, -std::numeric_limits<T>::infinity());
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] = scale * z[i + l] > lanes[l] ? scale * z[i + l] : lanes[l];
  }
  T largest = lanes[0];
  for (const T lane : lanes) largest = lane > largest ? lane : largest;
  for (; i < n; ++i) largest = scale * z[i] > largest ? scale * z[i] : largest;

  std::fill(lanes, lanes + kLanes, T(0));
  for (i = 0; i + kLanes <= n; i += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l) {
      const T e = exp_below_one(scale * z[i + l] - largest);
      z[i + l] = e;
      lanes[l] += e;
    }
  }
  T sum = 0;
  for (; i < n; ++i) sum += z[i] = exp_below_one(scale * z[i] - largest);
  for (const T lane : lanes) sum += lane;
  const T share = 1 / sum;
  for (i = 0; i < n; ++i) z[i] *= share;
  return largest + std::log(sum);
}

template <typename T>
[[gnu::always_inline]] inline void backward(T* z, T* g, int64_t n, T scale, T lse, T delta) {
  for (int64_t i = 0; i < n; ++i) {
    const T over = scale * z[i] - lse;  // A probability: rounding aside never above 1.
    const T p = exp_below_one(over < 0 ? over : T(0));
    z[i] = p;
    g[i] = scale * p * (g[i] - delta);
  }
}

ATTUNE_FOR_EACH_CPU float softmax_of(float* z, int64_t n, float scale) { return softmax(z, n, scale); }
ATTUNE_FOR_EACH_CPU void backward_of(float* z, float* g, int64_t n, float scale, float lse, float delta) {
  backward(z, g, n, scale, lse, delta);
}

template <typename T>
void clear_outside(T* row, int64_t from, int64_t to, int64_t n) {
  std::fill(row, row + from, T(0));
  std::fill(row + to, row + n, T(0));
}

}  // namespace

float softmax_row(float* score, int64_t from, int64_t to, int64_t n, float scale) {
  clear_outside(score, from, to, n);
  return softmax_of(score + from, to - from, scale);
}
double softmax_row(double* score, int64_t from, int64_t to, int64_t n, double scale) {
  clear_outside(score, from, to, n);
  return softmax(score + from, to - from, scale);
}

void softmax_row_backward(float* score, float* gradient, int64_t from, int64_t to, int64_t n, float scale, float lse, float delta) {
  clear_outside(score, from, to, n);
  clear_outside(gradient, from, to, n);
  backward_of(score + from, gradient + from, to - from, scale, lse, delta);
}
void softmax_row_backward(double* score, double* gradient, int64_t from, int64_t to, int64_t n, double scale, double lse, double delta) {
  clear_outside(score, from, to, n);
  clear_outside(gradient, from, to, n);
  backward(score + from, gradient + from, to - from, scale, lse, delta);
}

}  // namespace attune::nn
