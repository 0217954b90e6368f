// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/axis.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace attune {
namespace {

constexpr double kLargest = 1e300;  // Beyond it differences overflow.

/// 1, 2 or 5 times a power of ten, at least `least`.
double round_step(double least) {
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

std::string printed(const char* format, int digits, double value) {
  char text[48];
  std::snprintf(text, sizeof text, format, digits, value);
  return text;
}

}  // namespace

Axis::Axis(double low, double high, Kind kind, int ticks)
    : low_(std::clamp(low, -kLargest, kLargest)),
      high_(std::clamp(high, -kLargest, kLargest)),
      kind_(kind) {
  if (kind_ == Kind::kLogarithmic) {
    mark_logarithmic();
    return;
  }
  const double least = kind_ == Kind::kWhole ? 0.5 : std::max(std::abs(low_) * 1e-6, 1e-300);
  if (high_ - low_ < least) {
    const double room = low_ == 0 || kind_ == Kind::kWhole ? 1 : std::abs(low_) * 0.1;
    low_ -= room, high_ += room;
  }
  mark_linear(ticks);
}

void Axis::mark_linear(int count) {
  step_ = round_step((high_ - low_) / count);
  if (kind_ == Kind::kWhole) step_ = std::max(1.0, step_);
  for (double n = std::ceil(low_ / step_ - 1e-9); n * step_ <= high_ + step_ * 1e-9; ++n)
    ticks_.push_back(n == 0 ? 0 : n * step_);
}

void Axis::mark_logarithmic() {
  const double first = std::floor(std::log10(low_)), last = std::ceil(std::log10(high_));
  low_ = std::max(std::pow(10, first), 1e-300), high_ = std::min(std::pow(10, last), kLargest);
  const double stride = std::max(1.0, std::ceil((last - first) / 5));
  for (double power = first; power <= last; power += stride) ticks_.push_back(std::pow(10, power));
}

double Axis::place(double value) const {
  if (kind_ == Kind::kLogarithmic)
    return (std::log10(value) - std::log10(low_)) / (std::log10(high_) - std::log10(low_));
  return (std::clamp(value, -kLargest, kLargest) - low_) / (high_ - low_);
}

std::string Axis::text(double tick) const {
  const double size = std::abs(tick), most = std::max(std::abs(low_), std::abs(high_));
  if (kind_ == Kind::kLogarithmic) {
    return size >= 1e-3 && size < 1e4 ? printed("%.*g", 6, tick) : printed("%.*g", 1, tick);
  }
  if (tick == 0) return "0";
  if (most >= 1e12 || most < 1e-3) return printed("%.*g", 3, tick);
  const double unit = most >= 1e10 ? 1e9 : most >= 1e7 ? 1e6 : most >= 1e4 ? 1e3 : 1;
  const char* const suffix = unit == 1e9 ? "G" : unit == 1e6 ? "M" : unit == 1e3 ? "k" : "";
  const int places = std::clamp(int(-std::floor(std::log10(step_ / unit) + 1e-9)), 0, 9);
  return printed("%.*f", places, tick / unit) + suffix;
}

}  // namespace attune
