// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

/// The declarations of abi.h as text: enough to hold one version of it to another.
namespace attune::testing {

struct Header {
  /// Struct -> its members as declared, in order, without comments and with single spaces.
  std::map<std::string, std::vector<std::string>> structs;
  std::map<std::string, std::string> constants;  ///< enumerators, by value
};
Header read_header(std::string text);

/// What of `before` is not kept by `now`, one line each: "attune_reader: member 3 was `...`, is `...`". A struct whose first
/// member is `uint32_t size` may grow at its end; any other is frozen.
std::vector<std::string> broken_promises(const Header& before, const Header& now);

}  // namespace attune::testing
