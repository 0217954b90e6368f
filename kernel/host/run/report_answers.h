// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernel/host/run/run_folder.h"

namespace attune {

/// Prompts with the answers of each run that wrote some, side by side: before and after, of a
/// pipeline's stages. Empty where no run did.
std::string answers_html(const std::vector<RunFolder>& runs,
                         const std::vector<std::string>& labels);

}  // namespace attune
