// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kernel/host/services/clock.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

/// The complete lines of `text` whose step is at most `step`.
std::string lines_until(const std::string& text, int64_t step) {
  std::string kept;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;
    const std::string line = text.substr(begin, end - begin);
    const Json row = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    const bool good = row.is_object() && row.contains("step") && row["step"].is_number_integer();
    if (good && row["step"].get<int64_t>() <= step) kept += line + "\n";
    begin = end + 1;
  }
  return kept;
}

}  // namespace

MetricsFile::MetricsFile(std::filesystem::path file) : file_(std::move(file)) {}

MetricsFile::~MetricsFile() { close(); }

void MetricsFile::open() {
  if (fd_ >= 0) return;
  fd_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd_ < 0) {
    throw ExitError(Exit::kRunFailed,
                    file_.string() + ": cannot be opened: " + std::strerror(errno));
  }
}

void MetricsFile::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void MetricsFile::write(int64_t step, const Json& row) {
  open();
  Json line = {{"step", step}};
  for (const auto& [key, value] : row.items()) line[key] = value;
  const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  // One call, so that a killed process tears at most the last line.
  const ssize_t written = ::write(fd_, text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size())) {
    throw ExitError(Exit::kRunFailed, file_.string() + ": step " + std::to_string(step) +
                                          " could not be written: " +
                                          (written < 0 ? std::strerror(errno) : "no space left"));
  }
}

void MetricsFile::rewind(int64_t step) {
  if (!std::filesystem::exists(file_)) return;
  close();
  const std::string text = read_text(file_);
  std::string kept = lines_until(text, step);
  if (kept != text) write_atomically(file_, kept);
}

void Trackers::log(int64_t step, const Json& row) {
  if (trackers_.empty()) return;
  Json numbers = Json::object();
  for (const auto& [key, value] : row.items()) {
    if (value.is_number() || value.is_boolean()) numbers[key] = value;
  }
  Arena arena;
  const attune_value map = to_value(numbers, arena);
  for (const Tracker& tracker : trackers_) {
    tracker.failure.check(tracker.table->log(tracker.table->self, step, unix_now(), &map),
                          "step " + std::to_string(step));
  }
}

}  // namespace attune
