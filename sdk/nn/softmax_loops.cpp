// SPDX-License-Identifier: Apache-2.0
#include "nn/softmax_loops.h"

#include <algorithm>
#include <limits>

#include "nn/exp_loop.h"
#include "nn/parallel.h"

namespace attune::nn {
namespace {

constexpr int64_t kLanes = 16;

ATTUNE_FOR_EACH_CPU float largest_of(const float* z, int64_t n) {
  float lanes[kLanes];
  std::fill(lanes, lanes + kLanes, -std::numeric_limits<float>::infinity());
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] = z[i + l] > lanes[l] ? z[i + l] : lanes[l];
  }
  float largest = *std::max_element(lanes, lanes + kLanes);
  for (; i < n; ++i) largest = z[i] > largest ? z[i] : largest;
  return largest;
}

ATTUNE_FOR_EACH_CPU float sum_of_exp(const float* z, int64_t n, float shift) {
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] += exp_below_one(z[i + l] - shift);
  }
  float sum = 0;
  for (; i < n; ++i) sum += exp_below_one(z[i] - shift);
  for (float lane : lanes) sum += lane;
  return sum;
}

ATTUNE_FOR_EACH_CPU void scaled_exp_loop(float* z, int64_t n, float shift, float factor) {
  for (int64_t i = 0; i < n; ++i) z[i] = factor * exp_below_one(z[i] - shift);
}

}  // namespace

Peak peak(const float* z, int64_t n) {
  constexpr int64_t kBlock = 1024;  // In fp32 within a block, in fp64 over blocks.
  Peak made{largest_of(z, n), 0};
  for (int64_t i = 0; i < n; i += kBlock)
    made.sum += sum_of_exp(z + i, std::min(kBlock, n - i), made.largest);
  return made;
}

void scaled_exp(float* z, int64_t n, float shift, float factor) {
  scaled_exp_loop(z, n, shift, factor);
}

}  // namespace attune::nn
