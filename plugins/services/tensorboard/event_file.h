// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace attune {

struct Scalar {
  std::string_view name;
  float value;
};

/// One event file of TensorBoard, appended to. Every record is on its way to the disk when a call
/// returns.
class EventFile {
 public:
  /// Creates a file whose name sorts behind every event file that the folder has: TensorBoard reads
  /// them in that order.
  explicit EventFile(const std::string& folder);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  /// Were there event files before this one?
  bool continues() const { return continues_; }
  void scalars(double wall_time, int64_t step, const std::vector<Scalar>& scalars);
  /// From here on, what was written for `step` and later steps counts no more.
  void restart(double wall_time, int64_t step);

 private:
  void record(const std::string& event);

  std::string path_;
  int file_ = -1;
  bool continues_ = false;
};

}  // namespace attune
