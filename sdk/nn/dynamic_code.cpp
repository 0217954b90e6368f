// SPDX-License-Identifier: Apache-2.0
#include "nn/dynamic_code.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "nn/parallel.h"

namespace attune::nn {

DynamicCode::DynamicCode(bool sign) {
  // Decades 1e-6 to 1; each has twice the fractions of the one below, at the middles of equal parts of [0.1, 1].
  std::vector<float> found = {0, 1};
  for (int decade = 0; decade < 7; ++decade) {
    const int parts = (sign ? 1 : 2) << decade;
    // In fp32, rounded once and from both ends, which gives the bits of published tables.
    const float width = (1.0F - 0.1F) / float(parts), unit = float(std::pow(10.0, decade - 6));
    const auto edge = [&](int i) { return i < (parts + 1) / 2 ? std::fma(width, float(i), 0.1F) : std::fma(-width, float(parts - i), 1.0F); };
    for (int part = 0; part < parts; ++part) {
      const float value = unit * ((edge(part) + edge(part + 1)) / 2);
      found.push_back(value);
      if (sign) found.push_back(-value);
    }
  }
  std::ranges::sort(found);
  std::ranges::copy(found, values_.begin());
  for (size_t i = 0; i + 1 < values_.size(); ++i) middle_[i] = (values_[i] + values_[i + 1]) / 2;
  middle_.back() = std::numeric_limits<float>::infinity();
  for (uint32_t upper = 0; upper < lowest_.size(); ++upper) {
    const auto a = std::bit_cast<float>(upper << 16), b = std::bit_cast<float>(upper << 16 | 0xFFFFU);
    lowest_[upper] = uint8_t(std::ranges::lower_bound(middle_, std::min(a, b)) - middle_.begin());
  }
}

const DynamicCode& DynamicCode::with_sign() {
  static const DynamicCode code(true);
  return code;
}

const DynamicCode& DynamicCode::without_sign() {
  static const DynamicCode code(false);
  return code;
}

ATTUNE_FOR_EACH_CPU float largest_size(const float* x, int64_t n) {
  constexpr int64_t kLanes = 16;
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] = std::fabs(x[i + l]) > lanes[l] ? std::fabs(x[i + l]) : lanes[l];
  }
  float largest = *std::max_element(lanes, lanes + kLanes);
  for (; i < n; ++i) largest = std::max(largest, std::fabs(x[i]));
  return largest;
}

}  // namespace attune::nn
