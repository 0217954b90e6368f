// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "kernel/host/commands/command.h"
#include "kernel/host/engine_api.h"

namespace attune {

/// --dtype, --device, --threads, --batch, --no-cache, --plugin-path, --quiet.
std::vector<OptionSpec> model_options();

/// Opens MODEL as these options say.
std::unique_ptr<LanguageModel> open_model(const Arguments& arguments, Installation& installation,
                                          HostServices& host);

}  // namespace attune
