// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "kernel/host/run/metric_log.h"

namespace attune {

/// Neighbouring points of a curve as one: nothing that stood out is lost, for the lowest and the
/// highest value are kept.
struct Bucket {
  double step;  ///< the mean of its steps
  double low, high, mean;
  bool finite;  ///< whether any value was
};

/// The curve in at most `count` buckets of equal width in steps; each point a bucket of its own
/// where there are no more than that. Empty buckets are left out.
std::vector<Bucket> buckets_of(const std::vector<MetricLog::Point>& curve, size_t count);

}  // namespace attune
