// SPDX-License-Identifier: Apache-2.0
#include "nn/softmax_loops.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "nn/parallel.h"

namespace attune::nn {
namespace {

constexpr int64_t kLanes = 16;

/// e^x for x <= 0 to about 1e-7 relative, in operations that vectorise; e^-87 for anything less.
[[gnu::always_inline]] inline float exp_below_one(float x) {
  constexpr float kRound =
      12582912.0F;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits.
  x = x < -87.0F ? -87.0F : x;
  const float shifted = x * 1.44269504F + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375F) - n * -2.12194440e-4F;
  float p = 1.0F / 5040;
  p = p * r + 1.0F / 720;
  p = p * r + 1.0F / 120;
  p = p * r + 1.0F / 24;
  p = p * r + 1.0F / 6;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const auto power = (std::bit_cast<uint32_t>(shifted) + 127U) << 23;
  return p * std::bit_cast<float>(power);
}

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
