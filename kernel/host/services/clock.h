// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace attune {

/// The time now, "2026-02-03T04:05:06Z".
std::string utc_now();

/// The time now, in seconds since 1970.
double unix_now();

}  // namespace attune
