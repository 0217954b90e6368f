// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace attune {

struct Cell {
  std::string html;
  const char* kind = "";  ///< class of the cell
};

/// Text for a cell. Where a word is long the cell is wide, and the word may break.
std::string cell_text(const std::string& text);

/// A table of a report, which scrolls within itself where the page is narrow. The first cell of a
/// row names it.
class Table {
 public:
  Table(std::string name, const std::vector<Cell>& header);
  void add(const std::vector<Cell>& row);
  /// Empty without rows.
  std::string html() const;

 private:
  std::string name_, head_, body_;
};

}  // namespace attune
