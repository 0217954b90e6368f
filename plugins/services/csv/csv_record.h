// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "attune/error.h"

namespace attune {

/// What is wrong with a row, and at which byte of it (0 is the first).
class BadRow : public Error {
 public:
  BadRow(const std::string& what, size_t at) : Error(what), at_(at) {}
  size_t at() const { return at_; }

 private:
  size_t at_;
};

/// How many bytes the first row of `text` takes, with its line end. Lines end inside quotes without
/// ending the row.
size_t row_size(std::string_view text, char delimiter);

/// The fields of a row, without the quotes. Throws BadRow.
std::vector<std::string> parse_row(std::string_view row, char delimiter);

}  // namespace attune
