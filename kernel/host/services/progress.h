// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/host/json.h"
#include "kernel/host/services/console.h"

namespace attune {

/// How far a run is. On a terminal one line that is drawn again, at most ten times a second;
/// elsewhere plain lines, at most one in five seconds and one at the end of each phase.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Progress(Console& console) : console_(console) {}

  void update(std::string_view phase, int64_t done, int64_t total);
  /// The newest row of metrics; its "loss" and "tokens_per_s" are shown.
  void metrics(const Json& row);
  /// A line of text that does not disturb the bar; also where the console is quiet.
  void note(std::string_view line);
  /// Ends a line that is being drawn.
  void finish();

 private:
  std::string line() const;
  std::string numbers() const;

  Console& console_;
  std::string phase_;
  int64_t first_ = 0, done_ = 0, total_ = 0;
  Clock::time_point begun_{};
  std::optional<Clock::time_point> shown_;
  bool drawn_ = false, ended_ = true;
  std::optional<double> loss_, tokens_per_s_;
};

/// "0:07", "12:34", "3:05:00".
std::string clock_text(double seconds);
/// "1,234,567".
std::string grouped(int64_t number);

}  // namespace attune
