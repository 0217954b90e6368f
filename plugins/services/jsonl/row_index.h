// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../mapped_file.h"

namespace attune {

/// Where the records of a text begin: the offset of every kStride-th line that is not blank. Of a
/// large file it is kept in another one, which is mapped the next time, so that no line is looked at
/// before it is read.
class RowIndex {
 public:
  static constexpr int64_t kStride = 32;
  static constexpr size_t kLarge = size_t{16} << 20;  ///< bytes of text that are worth a file

  /// `file` is what `text` was read from, `kept` the file of the index; empty: none. What is kept is
  /// taken where size, inode and times of `file` are those that it was made of.
  RowIndex(const std::string& file, std::string_view text, const std::string& kept);

  int64_t count() const { return count_; }
  /// The offset of record i, the first of which is 0. REQUIRES: i < count().
  size_t start_of(int64_t i) const;
  /// The offset of the first record at or after `at`; the size of the text where there is none.
  size_t next(size_t at) const;
  /// From `at` to the end of the line, without the newline.
  std::string_view line_at(size_t at) const;

 private:
  struct Header;
  bool take(const Header& expected, const std::string& kept);
  void scan();
  void keep(Header header, const std::string& kept) const;

  std::string_view text_;
  int64_t count_ = 0;
  std::vector<uint64_t> made_;
  std::unique_ptr<MappedFile> mapped_;
  const uint64_t* starts_ = nullptr;  ///< of records 0, kStride, 2 kStride, ...
};

}  // namespace attune
