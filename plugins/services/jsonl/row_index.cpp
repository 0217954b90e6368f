// SPDX-License-Identifier: Apache-2.0
#include "row_index.h"

#include <ctime>
#include <fstream>
#include <utility>

namespace attune {
namespace {

constexpr std::string_view kBlanks = " \t\r";

/// FNV-1a over words.
uint64_t hash_of(const uint64_t* words, size_t n) {
  uint64_t value = 0xcbf29ce484222325u;
  for (size_t i = 0; i < n; ++i) value = (value ^ words[i]) * 0x100000001b3u;
  return value;
}

}  // namespace

/// In front of the offsets.
struct RowIndex::Header {
  uint64_t magic = 0x31574f524e545441u;  // "ATTNROW1"
  uint64_t device = 0, inode = 0, size = 0;
  int64_t written = 0, changed = 0;  // Nanoseconds; a file's content and its attributes.
  uint64_t text = 0, count = 0, hash = 0;

  static Header of(const std::string& file, std::string_view text) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) return {};
    const auto nanoseconds = [](const timespec& time) {
      return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
    };
    return {.device = status.st_dev,
            .inode = status.st_ino,
            .size = uint64_t(status.st_size),
            .written = nanoseconds(status.st_mtim),
            .changed = nanoseconds(status.st_ctim),
            .text = text.size()};
  }
  bool same_file(const Header& other) const {
    return magic == other.magic && device == other.device && inode == other.inode &&
           size == other.size && written == other.written && changed == other.changed &&
           text == other.text;
  }
  /// A file may change again within one tick of its clock and look the same.
  bool settled() const {
    return written / 1'000'000'000 + 2 < int64_t{std::time(nullptr)} && changed > 0;
  }
};

RowIndex::RowIndex(const std::string& file, std::string_view text, const std::string& kept)
    : text_(text) {
  const bool worth_keeping = !kept.empty() && text.size() >= kLarge;
  const Header header = worth_keeping ? Header::of(file, text) : Header();
  if (worth_keeping && take(header, kept)) return;
  scan();
  if (worth_keeping && header.settled()) keep(header, kept);
}

bool RowIndex::take(const Header& expected, const std::string& kept) {
  if (::access(kept.c_str(), R_OK) != 0) return false;
  mapped_ = std::make_unique<MappedFile>(kept);
  const std::string_view bytes = mapped_->bytes();
  Header found;
  if (bytes.size() < sizeof found) return false;
  std::memcpy(&found, bytes.data(), sizeof found);
  const uint64_t n = (found.count + kStride - 1) / kStride;
  const auto* const starts = reinterpret_cast<const uint64_t*>(bytes.data() + sizeof found);
  if (!found.same_file(expected) || bytes.size() != sizeof found + n * sizeof(uint64_t) ||
      found.hash != hash_of(starts, n))
    return false;
  starts_ = starts;
  count_ = int64_t(found.count);
  return true;
}

void RowIndex::scan() {
  for (size_t at = next(0); at < text_.size(); at = next(at + line_at(at).size() + 1)) {
    if (count_++ % kStride == 0) made_.push_back(at);
  }
  starts_ = made_.data();
}

/// A folder that takes no file costs the next start some time, and nothing else.
void RowIndex::keep(Header header, const std::string& kept) const {
  header.count = uint64_t(count_);
  header.hash = hash_of(made_.data(), made_.size());
  const std::string staging = kept + ".staging-" + std::to_string(::getpid());
  std::ofstream out(staging, std::ios::binary);
  out.write(reinterpret_cast<const char*>(&header), sizeof header);
  out.write(reinterpret_cast<const char*>(made_.data()),
            std::streamsize(made_.size() * sizeof(uint64_t)));
  out.close();
  if (!out || ::rename(staging.c_str(), kept.c_str()) != 0) ::unlink(staging.c_str());
}

size_t RowIndex::start_of(int64_t i) const {
  size_t at = starts_[i / kStride];
  for (int64_t k = i % kStride; k > 0; --k) at = next(at + line_at(at).size() + 1);
  return at;
}

size_t RowIndex::next(size_t at) const {
  while (at < text_.size()) {
    const std::string_view line = line_at(at);
    if (line.find_first_not_of(kBlanks) != line.npos) return at;
    at += line.size() + 1;
  }
  return text_.size();
}

std::string_view RowIndex::line_at(size_t at) const {
  const std::string_view rest = text_.substr(at);
  const void* newline = std::memchr(rest.data(), '\n', rest.size());
  return newline ? rest.substr(0, static_cast<const char*>(newline) - rest.data()) : rest;
}

}  // namespace attune
