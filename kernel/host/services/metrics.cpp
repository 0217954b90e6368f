// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "kernel/host/services/clock.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

/// The step of a row; -1: it is none.
int64_t step_of(const std::string& line) {
  const Json row = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  const bool good = row.is_object() && row.contains("step") && row["step"].is_number_integer();
  return good ? row["step"].get<int64_t>() : -1;
}

/// Bytes of a file up to and with the last whole row whose step is at most `step`. Looks from the
/// end, so that a long run goes on as fast as a short one.
uintmax_t bytes_until(const std::filesystem::path& file, int64_t step) {
  const uintmax_t size = std::filesystem::file_size(file);
  std::ifstream in(file, std::ios::binary);
  for (uintmax_t window = 1 << 16;; window *= 4) {
    const uintmax_t begin = size > window ? size - window : 0;
    std::string text(size - begin, '\0');
    in.seekg(std::streamoff(begin)).read(text.data(), std::streamsize(text.size()));
    for (size_t end = text.rfind('\n'); end != text.npos;) {
      const size_t before = end == 0 ? text.npos : text.rfind('\n', end - 1);
      if (before == text.npos && begin > 0) break;  // The row begins before the window.
      const size_t first = before == text.npos ? 0 : before + 1;
      const int64_t found = step_of(text.substr(first, end - first));
      if (found >= 0 && found <= step) return begin + end + 1;
      end = before;
    }
    if (begin == 0) return 0;
  }
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
  const uintmax_t kept = bytes_until(file_, step);
  if (kept < std::filesystem::file_size(file_)) std::filesystem::resize_file(file_, kept);
  sync();
}

void MetricsFile::sync() {
  if (std::filesystem::exists(file_)) sync_path(file_);
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
