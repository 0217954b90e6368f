// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kernel/engine/loaded_model.h"

namespace attune {

/// Writes the model as a folder in the Hugging Face layout: config.json, model.safetensors in the model's dtype, the
/// tokenizer's files. Staged and renamed: the folder is there whole or not at all.
void write_huggingface(const std::string& folder, const LoadedModel& loaded, HostServices& host);

/// The same from any checkpoint, without a model: tensors by name, converted to `dtype` (empty: as they are).
void convert_checkpoint(const std::string& from, const std::string& to, const std::string& dtype, HostServices& host);

}  // namespace attune
