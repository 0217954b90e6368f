// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "kernel/host/json.h"

namespace attune {

/// Learning rate of step 1, 2, ...: linear warm-up, then constant, linear or half a cosine down to min_ratio, or constant
/// until the last `decay_steps` (WSD: Hu et al., 2024), which fall linearly, as half a cosine, or as 1 - sqrt (Haegele et
/// al., 2024). Throws ExitError where warm-up and decay do not fit into `steps`.
class Schedule {
 public:
  Schedule(const Json& schedule, double learning_rate, int64_t steps);
  double at(int64_t step) const;

 private:
  std::string fall_;  ///< linear, cosine or sqrt; empty: constant
  double learning_rate_, min_ratio_;
  int64_t warmup_, first_, steps_;  ///< the rate falls after step first_
};

}  // namespace attune
