// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "attune/abi.h"
#include "kernel/host/plugins/metadata.h"

namespace attune {

/// P-03: how an entry is not what the plugin's note says; "" where it is.
std::string entry_difference(const attune_entry* entry, const PluginInfo& plugin);

}  // namespace attune
