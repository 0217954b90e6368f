// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernel/host/exit.h"

namespace attune {

Schedule::Schedule(const Json& schedule, double learning_rate, int64_t steps)
    : learning_rate_(learning_rate),
      min_ratio_(schedule.value("min_ratio", 0.0)),
      warmup_(schedule.value("warmup_steps", int64_t(0))),
      first_(warmup_),
      steps_(steps) {
  const std::string shape = schedule.value("use", "constant");
  if (shape != "constant") fall_ = shape;
  if (shape != "wsd") return;
  fall_ = schedule.value("decay", "linear");
  int64_t decay = schedule.value("decay_steps", int64_t(0));
  if (decay == 0) decay = std::max<int64_t>(1, steps / 10);
  first_ = steps - decay;
  if (first_ < warmup_) {
    throw ExitError(Exit::kUsage, "schedule: " + std::to_string(warmup_) + " warmup_steps and " + std::to_string(decay) +
                                      " decay_steps do not fit into the run's " + std::to_string(steps) + " steps; lower one of them");
  }
}

double Schedule::at(int64_t step) const {
  if (step <= warmup_) return learning_rate_ * double(step) / double(warmup_);
  if (fall_.empty() || step <= first_) return learning_rate_;
  // The first step of the fall has the full rate; the rate would reach its floor one step after the last.
  const double done = double(step - 1 - first_) / double(std::max<int64_t>(1, steps_ - first_));
  const double left = fall_ == "linear" ? 1 - done : fall_ == "sqrt" ? 1 - std::sqrt(done) : 0.5 * (1 + std::cos(std::numbers::pi * done));
  return learning_rate_ * (min_ratio_ + (1 - min_ratio_) * left);
}

}  // namespace attune
