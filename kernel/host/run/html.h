// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace attune {

/// Text of any origin for a page, attribute values included. Control characters become U+FFFD.
std::string html_text(std::string_view text);

/// `toml` in spans by what its parts are: tables, keys, strings, numbers, words.
std::string html_toml(std::string_view toml);

}  // namespace attune
