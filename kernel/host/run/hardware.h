// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel/host/json.h"

namespace attune {

/// {"cpu", "cores", "memory_bytes"} of this machine, as far as this process may use them.
Json hardware();

}  // namespace attune
