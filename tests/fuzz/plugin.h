// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "attune/abi.h"
#include "attune/value.h"
#include "kernel/host/json.h"

/// The factory of a plugin: the one that is linked into a fuzz program, else the one that the build made.
namespace attune::fuzz {

void* make(const std::string& plugin, const std::string& kind, const Json& options);

/// Every record of the file with these bytes. Throws nothing; ends the process where a record is no map.
void read_all(const std::string& plugin, const std::string& suffix, const Json& options, std::string_view bytes);
/// Every tensor and document.
void read_tensors(const std::string& plugin, const std::string& suffix, std::string_view bytes);

}  // namespace attune::fuzz
