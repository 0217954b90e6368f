// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace attune {

/// A stretch of numbers on a chart, with round numbers to write beside it.
class Axis {
 public:
  enum class Kind { kLinear, kLogarithmic, kWhole };  ///< kWhole: linear, no ticks between integers

  /// From `low` to `high` (finite; above zero where logarithmic) with about `ticks` round numbers.
  Axis(double low, double high, Kind kind, int ticks);

  /// 0 at the lower end, 1 at the upper one.
  double place(double value) const;
  const std::vector<double>& ticks() const { return ticks_; }
  /// A tick, as short as its neighbours allow: "0.25", "15k", "2e-05".
  std::string text(double tick) const;
  double low() const { return low_; }
  double high() const { return high_; }
  bool logarithmic() const { return kind_ == Kind::kLogarithmic; }

 private:
  void mark_linear(int count);
  void mark_logarithmic();

  double low_, high_, step_ = 0;
  Kind kind_;
  std::vector<double> ticks_;
};

}  // namespace attune
