// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel/host/json.h"

namespace attune {

/// Counts of something, such as tokens, and how they lie.
class Distribution {
 public:
  void add(int64_t value) { values_.push_back(value); }
  bool empty() const { return values_.empty(); }

  struct Bin {
    int64_t low, high;  ///< both included; the last bin reaches to the largest value
    int64_t count;
  };
  /// At most `most` bins of one round width (1, 2 or 5 times a power of ten) up to the 99th
  /// percentile, the rest in the last.
  std::vector<Bin> bins(size_t most = 12) const;
  int64_t sum() const;
  /// The smallest value that at least `share` of the values do not exceed; 0 of none.
  int64_t quantile(double share) const;
  /// {"n", "sum", "mean", "p50", "p90", "p99", "max", "bins": [[low, high, count], ...]}
  Json json() const;

 private:
  std::vector<int64_t> sorted() const;
  std::vector<int64_t> values_;
};

/// One line a bin: "    0-49  ████▌ 12". `bins` as in Distribution::json.
std::string bars(const Json& bins, size_t width);
/// The same as an SVG element that follows the page's colours.
std::string svg_bars(const Json& bins);

}  // namespace attune
