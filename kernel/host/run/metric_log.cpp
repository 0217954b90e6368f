// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/metric_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace attune {
namespace {

constexpr size_t kTail = 96;  // Longer than what two rows begin with alike.
constexpr size_t kPiece = 1 << 20;

class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  bool stat(struct stat& facts) const { return fd_ >= 0 && ::fstat(fd_, &facts) == 0; }
  std::string read(int64_t from, size_t count) const {
    std::string text(count, '\0');
    const ssize_t n = ::pread(fd_, text.data(), count, from);
    text.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return text;
  }

 private:
  int fd_;
};

}  // namespace

bool MetricLog::refresh(int64_t last_bytes) {
  const OpenFile file(file_);
  struct stat facts{};
  if (!file.stat(facts)) {
    const bool had = inode_ != 0;
    clear();
    return had;
  }
  const bool same = facts.st_ino == inode_ && facts.st_size >= offset_ &&
                    file.read(offset_ - int64_t(tail_.size()), tail_.size()) == tail_;
  const bool anew = !same && inode_ != 0;
  bool skip = false;
  if (!same) {
    clear();
    inode_ = facts.st_ino;
    if (facts.st_size > last_bytes) offset_ = facts.st_size - last_bytes, skip = true;
  }
  bool changed = anew;
  for (std::string piece; !(piece = file.read(offset_, kPiece)).empty();) {
    offset_ += int64_t(piece.size());
    tail_ = (tail_ + piece).substr(std::max(tail_.size() + piece.size(), kTail) - kTail);
    partial_ += piece;
    size_t begin = 0;
    for (size_t end; (end = partial_.find('\n', begin)) != partial_.npos; begin = end + 1) {
      if (!skip) read(partial_.substr(begin, end - begin));
      skip = false, changed = true;
    }
    partial_.erase(0, begin);
  }
  return changed;
}

void MetricLog::clear() {
  inode_ = 0, offset_ = 0, rows_ = 0, unreadable_ = 0;
  tail_.clear(), partial_.clear(), names_.clear(), curves_.clear(), texts_.clear();
  step_.reset();
}

void MetricLog::read(const std::string& line) {
  const Json row = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!row.is_object() || !row.contains("step") || !row["step"].is_number()) {
    ++unreadable_;
    return;
  }
  const double at = row["step"].get<double>();
  if (step_ && at <= double(*step_)) drop_from(at);
  step_ = row["step"].get<int64_t>();
  ++rows_;
  for (const auto& [name, value] : row.items()) {
    if (name == "step") continue;
    if (value.is_string()) texts_[name][*step_] = value.get<std::string>();
    if (!value.is_number() && !value.is_boolean() && !value.is_null()) continue;
    auto [column, is_new] = curves_.try_emplace(name);
    if (is_new) names_.push_back(name);
    column->second.push_back({at, value.is_null()      ? NAN
                                  : value.is_boolean() ? double(value.get<bool>())
                                                       : value.get<double>()});
  }
}

void MetricLog::drop_from(double step) {
  for (auto& [name, points] : curves_) {
    while (!points.empty() && points.back().step >= step) points.pop_back();
  }
  std::erase_if(names_, [&](const std::string& name) { return curves_[name].empty(); });
  std::erase_if(curves_, [](const auto& column) { return column.second.empty(); });
  for (auto& [name, values] : texts_)
    values.erase(values.lower_bound(static_cast<int64_t>(step)), values.end());
}

const std::vector<MetricLog::Point>& MetricLog::curve(const std::string& name) const {
  static const std::vector<Point> kNone;
  const auto found = curves_.find(name);
  return found == curves_.end() ? kNone : found->second;
}

std::optional<double> MetricLog::newest(const std::string& name) const {
  const auto& points = curve(name);
  return points.empty() ? std::nullopt : std::optional(points.back().value);
}

const std::map<int64_t, std::string>& MetricLog::texts(const std::string& name) const {
  static const std::map<int64_t, std::string> kNone;
  const auto found = texts_.find(name);
  return found == texts_.end() ? kNone : found->second;
}

}  // namespace attune
