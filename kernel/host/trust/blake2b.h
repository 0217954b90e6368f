// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace attune {

/// BLAKE2b with 32 bytes of digest and no key (RFC 7693), which OpenSSL 3.0 has in 64 bytes only.
/// Minisign's secret keys carry it as their checksum.
std::array<uint8_t, 32> blake2b_256(std::string_view bytes);

}  // namespace attune
