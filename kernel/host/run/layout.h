// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace attune {

/// Code points of UTF-8 text.
size_t text_width(std::string_view text);

/// Lines of at most `width` code points, broken at spaces where there are any; newlines break too.
/// At most `max_lines`, the last of them ending in "..." where more followed.
std::vector<std::string> wrap_text(std::string_view text, size_t width, size_t max_lines);

/// Two texts in columns of equal width, 100 columns in all with the indent.
std::string side_by_side(std::string_view left, std::string_view right, size_t max_lines);

/// Rows of cells, columns as wide as their widest cell. The first column is left-aligned, the
/// others right-aligned.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header);
  void add(std::vector<std::string> row);
  bool empty() const { return rows_.size() == 1; }
  /// Header, a rule, rows; each line indented by two.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// "1.23 GB" (10^9), "45 MB".
std::string bytes_text(int64_t bytes);

/// "1.23 TFLOP", "450 k": four digits, a prefix of the SI, the unit.
std::string scaled_text(double value, const std::string& unit);

}  // namespace attune
