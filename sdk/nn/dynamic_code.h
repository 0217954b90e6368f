// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace attune::nn {

/// The 256 values in [-1, 1] (without sign: [0, 1]) of the dynamic 8-bit type (Dettmers, 2016; Dettmers et al., 2022,
/// section 1.3): a decimal exponent whose length leaves the rest of the bits to a linear fraction. Codes ascend with values.
class DynamicCode {
 public:
  static const DynamicCode& with_sign();
  static const DynamicCode& without_sign();

  float value(uint8_t code) const { return values_[code]; }
  /// The code of the value nearest to x; the lower of two that are equally near. REQUIRES: x in [-1, 1].
  uint8_t nearest(float x) const {
    const uint8_t low = lowest_[std::bit_cast<uint32_t>(x) >> 16];
    return uint8_t(low + (x > middle_[low]));
  }

 private:
  explicit DynamicCode(bool sign);

  std::array<float, 256> values_;
  std::array<float, 256> middle_;       ///< between a value and the next
  std::array<uint8_t, 65536> lowest_;   ///< of the numbers that have these upper 16 bits; they meet one middle at most
};

/// The largest |x_i| of n: the scale of a block of codes. 0 where n is 0.
float largest_size(const float* x, int64_t n);

}  // namespace attune::nn
