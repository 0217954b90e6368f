// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/report_table.h"

#include <algorithm>

#include "kernel/host/run/html.h"

namespace attune {
namespace {

constexpr size_t kLongWord = 26;

std::string cell(const std::string& tag, const Cell& cell) {
  const std::string kind = *cell.kind ? " class=\"" + std::string(cell.kind) + "\"" : "";
  return "<" + tag + kind + ">" + cell.html + "</" + tag.substr(0, 2) + ">";
}

}  // namespace

std::string cell_text(const std::string& text) {
  size_t longest = 0;
  for (size_t begin = 0, end; begin <= text.size(); begin = end + 1) {
    end = std::min(text.find(' ', begin), text.size());
    longest = std::max(longest, end - begin);
  }
  const std::string made = html_text(text);
  return longest > kLongWord ? "<span class=\"long\">" + made + "</span>" : made;
}

Table::Table(std::string name, const std::vector<Cell>& header) : name_(std::move(name)) {
  if (header.empty()) return;
  head_ = "<thead><tr>";
  for (const Cell& of : header) head_ += cell("th scope=\"col\"", of);
  head_ += "</tr></thead>";
}

void Table::add(const std::vector<Cell>& row) {
  body_ += "<tr>";
  for (size_t i = 0; i < row.size(); ++i) body_ += cell(i == 0 ? "th scope=\"row\"" : "td", row[i]);
  body_ += "</tr>";
}

std::string Table::html() const {
  if (body_.empty()) return "";
  return "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"" + html_text(name_) +
         "\"><table>" + head_ + "<tbody>" + body_ + "</tbody></table></div>";
}

}  // namespace attune
