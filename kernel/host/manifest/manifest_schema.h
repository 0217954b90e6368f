// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernel/host/manifest/option_schema.h"

namespace attune {

/// Every key of a manifest that belongs to the host: what is checked, defaulted and printed.
/// Options of plugins stand beside `use` and are declared by the plugins. The members of `stage`
/// are name and kind; a stage also takes every table that has `runs`.
const std::vector<OptionSchema>& manifest_schema();

/// `attune help manifest`.
std::string manifest_help();

}  // namespace attune
