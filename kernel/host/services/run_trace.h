// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "kernel/host/json.h"

namespace attune {

/// What others see of a run under way, beside its metrics: progress.json, {"phase", "done",
/// "total", "first", "begun", "at"} with times in seconds since 1970, replaced at most once a
/// second; log.txt, a line each with its time; plan.json, what it was planned to cost. A disk that
/// is full stops neither the run nor its checkpoints.
class RunTrace {
 public:
  explicit RunTrace(const std::filesystem::path& folder)
      : plan_(folder / "plan.json"),
        progress_(folder / "progress.json"),
        log_(folder / "log.txt") {}

  void plan(const Json& plan) const;
  void progress(std::string_view phase, int64_t done, int64_t total);
  void log(std::string_view line);

 private:
  using Clock = std::chrono::steady_clock;

  std::filesystem::path plan_, progress_, log_;
  std::string phase_;
  int64_t first_ = 0, done_ = 0, total_ = 0;
  double begun_ = 0;
  Clock::time_point written_{};
};

}  // namespace attune
