// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace attune {

/// A mean over n samples with its 95 % interval.
struct Estimate {
  double mean = 0, low = 0, high = 0;
  int64_t n = 0;
  bool share = false;  ///< every value is 0 or 1
};

/// Wilson's interval where every value is 0 or 1 (it is honest at 0 %, at 100 % and for small n),
/// else the normal one. REQUIRES: values is not empty.
Estimate estimate(std::span<const double> values);

}  // namespace attune
