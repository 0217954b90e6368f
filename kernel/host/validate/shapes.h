// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "attune/abi.h"

namespace attune {

/// What keeps a sample from being any of `shapes`, the words of `samples` in plugin.toml as
/// docs/datasets.md explains them; "" where it is one of them.
std::string shape_fault(const attune_sample& sample, const std::vector<std::string>& shapes);

}  // namespace attune
