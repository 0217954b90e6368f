// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "kernel/host/engine_api.h"
#include "kernel/host/services/plugin_failure.h"

namespace attune {

/// metrics.jsonl: one line per step, in the file as soon as `write` returns.
class MetricsFile {
 public:
  explicit MetricsFile(std::filesystem::path file);
  ~MetricsFile();
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;

  /// {"step": step, ...row}. Opens the file at the first call.
  void write(int64_t step, const Json& row);
  /// Drops lines of later steps and a torn last line. REQUIRES: steps that ascend.
  void rewind(int64_t step);
  /// Makes what was written last.
  void sync();

 private:
  void open();
  void close();

  std::filesystem::path file_;
  int fd_ = -1;
};

/// Trackers that get the numbers of every row.
class Trackers {
 public:
  struct Tracker {
    Plugin<attune_tracker> table;
    PluginFailure failure;
  };
  void add(Tracker tracker) { trackers_.push_back(std::move(tracker)); }
  void log(int64_t step, const Json& row);

 private:
  std::vector<Tracker> trackers_;
};

}  // namespace attune
