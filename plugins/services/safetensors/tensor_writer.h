// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "attune/value.h"

namespace attune {

/// Writes one .safetensors file at `path`: whole, on disk and under its name, or not at all.
/// `metadata` is a map of strings or missing; `format` is "pt" unless it says otherwise.
void write_tensors(const std::string& path, const attune_tensor* tensors, size_t n, Value metadata);

}  // namespace attune
