// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kernel/host/json.h"

namespace attune {

/// `table` as TOML, keys in their order: plain values first, then tables, then arrays of tables.
/// Null members are left out.
std::string to_toml(const Json& table);

}  // namespace attune
