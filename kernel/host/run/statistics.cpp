// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/statistics.h"

#include <algorithm>
#include <cmath>

namespace attune {
namespace {

constexpr double kZ = 1.959963984540054;  // 97.5 % quantile of the normal distribution

void wilson(Estimate& of) {
  const double n = double(of.n), p = of.mean;
  const double centre = (p + kZ * kZ / (2 * n)) / (1 + kZ * kZ / n);
  const double half = kZ / (1 + kZ * kZ / n) * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
  of.low = std::max(0.0, centre - half);
  of.high = std::min(1.0, centre + half);
}

}  // namespace

Estimate estimate(std::span<const double> values) {
  Estimate made;
  made.n = static_cast<int64_t>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  made.mean = sum / double(made.n);
  made.share = std::all_of(values.begin(), values.end(), [](double v) { return v == 0 || v == 1; });
  if (made.share) {
    wilson(made);
    return made;
  }
  double squares = 0;
  for (const double value : values) squares += (value - made.mean) * (value - made.mean);
  const double error = made.n > 1 ? std::sqrt(squares / double(made.n - 1) / double(made.n)) : 0;
  made.low = made.mean - kZ * error;
  made.high = made.mean + kZ * error;
  return made;
}

}  // namespace attune
