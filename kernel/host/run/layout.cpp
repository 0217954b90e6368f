// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/layout.h"

#include <algorithm>
#include <cstdio>

namespace attune {
namespace {

constexpr size_t kColumn = 47;
constexpr const char* kIndent = "  ";

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

/// Bytes of the first `n` code points.
size_t prefix(std::string_view text, size_t n) {
  size_t at = 0;
  for (; at < text.size(); ++at) {
    if (begins_character(text[at]) && n-- == 0) break;
  }
  return at;
}

std::string padded(const std::string& text, size_t width, bool right) {
  const size_t have = text_width(text);
  const std::string space(width > have ? width - have : 0, ' ');
  return right ? space + text : text + space;
}

void wrap_line(std::string_view line, size_t width, std::vector<std::string>& out) {
  while (text_width(line) > width) {
    const size_t fits = prefix(line, width);
    size_t cut = line.rfind(' ', fits);
    if (cut == line.npos || cut == 0) cut = fits;
    out.emplace_back(line.substr(0, cut));
    line.remove_prefix(cut);
    while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  }
  out.emplace_back(line);
}

std::string printable(std::string_view text) {
  std::string made;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    made += c == '\n' || (byte >= 0x20 && byte != 0x7f) ? c : ' ';
  }
  return made;
}

}  // namespace

size_t text_width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::vector<std::string> wrap_text(std::string_view text, size_t width, size_t max_lines) {
  const std::string clean = printable(text);
  std::vector<std::string> lines;
  for (size_t begin = 0; begin <= clean.size() && lines.size() <= max_lines;) {
    const size_t end = std::min(clean.find('\n', begin), clean.size());
    wrap_line(std::string_view(clean).substr(begin, end - begin), width, lines);
    begin = end + 1;
  }
  if (lines.size() > max_lines) {
    lines.resize(max_lines);
    std::string& last = lines.back();
    if (text_width(last) + 4 > width) last.resize(prefix(last, width - 4));
    last += " ...";
  }
  return lines;
}

std::string side_by_side(std::string_view left, std::string_view right, size_t max_lines) {
  const auto a = wrap_text(left, kColumn, max_lines), b = wrap_text(right, kColumn, max_lines);
  std::string text;
  for (size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    std::string line = kIndent + padded(i < a.size() ? a[i] : "", kColumn, false) + " | " +
                       (i < b.size() ? b[i] : "");
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

TextTable::TextTable(std::vector<std::string> header) { rows_.push_back(std::move(header)); }

void TextTable::add(std::vector<std::string> row) {
  row.resize(rows_[0].size());
  rows_.push_back(std::move(row));
}

std::string TextTable::text() const {
  std::vector<size_t> widths(rows_[0].size());
  for (const auto& row : rows_) {
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], text_width(row[c]));
  }
  std::string text;
  for (size_t r = 0; r < rows_.size(); ++r) {
    std::string line = kIndent;
    size_t total = 0;
    for (size_t c = 0; c < widths.size(); ++c) {
      line += (c ? "  " : "") + padded(rows_[r][c], widths[c], c > 0);
      total += widths[c] + (c ? 2 : 0);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
    if (r == 0) text += kIndent + std::string(total, '-') + "\n";
  }
  return text;
}

std::string bytes_text(int64_t bytes) {
  char text[32];
  if (bytes >= 1'000'000'000) {
    std::snprintf(text, sizeof text, "%.2f GB", double(bytes) / 1e9);
  } else if (bytes >= 1'000'000) {
    std::snprintf(text, sizeof text, "%.0f MB", double(bytes) / 1e6);
  } else {
    std::snprintf(text, sizeof text, "%.1f kB", double(bytes) / 1e3);
  }
  return text;
}

std::string scaled_text(double value, const std::string& unit) {
  static constexpr const char* kScales[] = {"", "k", "M", "G", "T", "P", "E"};
  size_t scale = 0;
  while (value >= 1000 && scale + 1 < std::size(kScales)) value /= 1000, ++scale;
  char text[48];
  std::snprintf(text, sizeof text, "%.4g %s", value, kScales[scale]);
  std::string made = text + unit;
  made.erase(made.find_last_not_of(' ') + 1);
  return made;
}

}  // namespace attune
