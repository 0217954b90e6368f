// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

#include "attune/abi.h"

namespace attune {

/// What ends an operation: who, expected, found, what to do. `code()` is one of ATTUNE_E_*.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what, int code = ATTUNE_E_INVALID)
      : std::runtime_error(what), code_(code) {}
  int code() const noexcept { return code_; }

 private:
  int code_;
};

}  // namespace attune
