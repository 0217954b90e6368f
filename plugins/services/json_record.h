// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "attune/value.h"

namespace attune {

/// What is wrong with a record, and at which byte of it (1 is the first).
class BadRecord : public Error {
 public:
  BadRecord(const std::string& what, size_t column) : Error(what), column_(column) {}
  size_t column() const { return column_; }

 private:
  size_t column_;
};

/// JSON as plain data that `arena` owns. Of a key that is there twice the last value counts; an
/// integer that 64 bits do not hold is a float. Throws BadRecord.
attune_value parse_json(std::string_view json, Arena& arena);
/// The same, of an object.
attune_value parse_record(std::string_view json, Arena& arena);

}  // namespace attune
