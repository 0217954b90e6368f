// SPDX-License-Identifier: Apache-2.0
// A field is quoted if its first character is a quote; inside, a quote is written twice (RFC 4180,
// section 2).
#include "csv_record.h"

namespace attune {

size_t row_size(std::string_view text, char delimiter) {
  bool quoted = false, begins = true;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      quoted = c != '"';  // Of a doubled quote the second one opens again, as if it began a field.
      begins = !quoted;
      continue;
    }
    if (c == '\n') return i + 1;
    quoted = c == '"' && begins;
    begins = c == delimiter;
  }
  return text.size();
}

std::vector<std::string> parse_row(std::string_view row, char delimiter) {
  if (row.ends_with('\n')) row.remove_suffix(1);
  if (row.ends_with('\r')) row.remove_suffix(1);
  std::vector<std::string> fields(1);
  for (size_t i = 0; i < row.size(); ++i) {
    const char c = row[i];
    if (c == delimiter) {
      fields.emplace_back();
      continue;
    }
    if (c != '"') {
      fields.back() += c;
      continue;
    }
    if (i > 0 && row[i - 1] != delimiter) {
      throw BadRow(
          "a quote inside a field that does not begin with one; quote the whole field and double "
          "the quote",
          i);
    }
    const size_t opened = i;
    for (++i;; ++i) {
      if (i >= row.size()) throw BadRow("this quote is never closed", opened);
      if (row[i] == '"' && i + 1 < row.size() && row[i + 1] == '"') {
        ++i;
      } else if (row[i] == '"') {
        break;
      }
      fields.back() += row[i];
    }
    if (i + 1 < row.size() && row[i + 1] != delimiter) {
      throw BadRow(
          "expected the field to end behind its closing quote; double a quote that belongs to the "
          "text",
          i);
    }
  }
  return fields;
}

}  // namespace attune
