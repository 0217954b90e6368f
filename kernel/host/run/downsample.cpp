// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/downsample.h"

#include <algorithm>
#include <cmath>

namespace attune {
namespace {

Bucket merged(const MetricLog::Point* begin, const MetricLog::Point* end) {
  Bucket made{0, INFINITY, -INFINITY, NAN, false};
  long double steps = 0, sum = 0;
  int64_t finite = 0;
  for (const auto* point = begin; point != end; ++point) {
    steps += point->step;
    if (!std::isfinite(point->value)) continue;
    made.low = std::min(made.low, point->value), made.high = std::max(made.high, point->value);
    sum += point->value;
    ++finite;
  }
  made.step = double(steps / (end - begin));
  made.finite = finite > 0;
  if (made.finite) made.mean = double(sum / finite);
  return made;
}

}  // namespace

std::vector<Bucket> buckets_of(const std::vector<MetricLog::Point>& curve, size_t count) {
  std::vector<Bucket> made;
  if (curve.empty()) return made;
  const double first = curve.front().step, length = curve.back().step - first;
  const bool each = curve.size() <= count || length <= 0;
  const auto bucket = [&](size_t i) {
    return each ? i : std::min(size_t((curve[i].step - first) / length * double(count)), count - 1);
  };
  for (size_t begin = 0, end; begin < curve.size(); begin = end) {
    for (end = begin + 1; end < curve.size() && bucket(end) == bucket(begin);) ++end;
    made.push_back(merged(&curve[begin], curve.data() + end));
  }
  return made;
}

}  // namespace attune
