// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel/host/json.h"

namespace attune {

/// {"cpu", "cores", "memory_bytes"} of this machine, as far as this process may use them.
Json hardware();

/// The time now, "2026-02-03T04:05:06Z".
std::string utc_now();

}  // namespace attune
