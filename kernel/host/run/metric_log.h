// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernel/host/json.h"

namespace attune {

/// The rows of a metrics.jsonl, column by column. Follows a file that another process appends to,
/// replaces (a resumed run drops rows) or removes.
class MetricLog {
 public:
  struct Point {
    double step;
    double value;  ///< NaN where the row has null: what was written was not finite
  };

  explicit MetricLog(std::filesystem::path file = {}) : file_(std::move(file)) {}

  /// Reads what was appended since the last call; all anew where the file is another one, is
  /// shorter, or has other bytes where the last call ended. The first call reads at most the last
  /// `last_bytes`. Returns whether anything changed.
  bool refresh(int64_t last_bytes = INT64_MAX);

  /// Names of the numbers that there are, as they came.
  const std::vector<std::string>& names() const { return names_; }
  /// By step, each step once; empty where there is no such number.
  const std::vector<Point>& curve(const std::string& name) const;
  /// The newest value; NaN where it was not finite.
  std::optional<double> newest(const std::string& name) const;
  /// A column of strings, by step.
  const std::map<int64_t, std::string>& texts(const std::string& name) const;

  int64_t rows() const { return rows_; }
  /// Lines that are no row: no JSON object with a step.
  int64_t unreadable() const { return unreadable_; }
  /// Of the newest row.
  std::optional<int64_t> step() const { return step_; }

 private:
  void clear();
  void read(const std::string& line);
  void drop_from(double step);

  std::filesystem::path file_;
  uint64_t inode_ = 0;
  int64_t offset_ = 0;
  std::string tail_;     // The last bytes before `offset_`: they tell the file from another one.
  std::string partial_;  // A line without its end.
  std::vector<std::string> names_;
  std::map<std::string, std::vector<Point>> curves_;
  std::map<std::string, std::map<int64_t, std::string>> texts_;
  int64_t rows_ = 0, unreadable_ = 0;
  std::optional<int64_t> step_;
};

}  // namespace attune
