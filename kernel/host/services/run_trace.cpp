// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/run_trace.h"

#include <algorithm>
#include <fstream>

#include "kernel/host/services/clock.h"

namespace attune {
namespace {

constexpr auto kPause = std::chrono::seconds(1);

/// A reader sees the old text or the new one.
void replace(const std::filesystem::path& file, const Json& json) {
  const std::filesystem::path staging = file.string() + ".staging";
  std::ofstream out(staging);
  out << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  out.close();
  std::error_code ignored;
  if (out) std::filesystem::rename(staging, file, ignored);
}

}  // namespace

void RunTrace::plan(const Json& plan) const { replace(plan_, plan); }

void RunTrace::progress(std::string_view phase, int64_t done, int64_t total) {
  const bool new_phase = phase != phase_ || total != total_ || done < done_;
  if (new_phase) phase_ = phase, total_ = total, first_ = done, begun_ = unix_now();
  done_ = done;
  if (!new_phase && done < total && Clock::now() - written_ < kPause) return;
  written_ = Clock::now();
  replace(progress_, {{"phase", phase_},
                      {"done", done},
                      {"total", total},
                      {"first", first_},
                      {"begun", begun_},
                      {"at", unix_now()}});
}

void RunTrace::log(std::string_view line) {
  std::string text(line);
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::ofstream(log_, std::ios::app) << utc_now() + "  " + text + "\n";
}

}  // namespace attune
