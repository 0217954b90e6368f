// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace attune {

std::string base64(std::span<const uint8_t> bytes);
/// Empty unless `text` is the only encoding of some bytes: padded, no other character.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace attune
