// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/host/engine_api.h"
#include "kernel/host/services/plugin_failure.h"

namespace attune {

/// One open file of tensors.
struct WeightsFile {
  Plugin<attune_weights> table;
  PluginFailure failure;
};

/// The checkpoint file formats that plugins provide.
struct WeightsFormats {
  std::vector<std::string> suffixes;                         ///< ".safetensors", ...
  std::function<WeightsFile(const std::string& path)> open;  ///< the plugin of the path's suffix
};

/// `path` is one file, or a folder with model.safetensors.index.json, model.<suffix>, or exactly
/// one file of a known format. Files are opened when the first tensor is asked for; documents need
/// none of them where the folder has them.
std::unique_ptr<Checkpoint> open_checkpoint(const std::string& path, WeightsFormats formats);

/// The documents that a Hugging Face folder may hold beside its tensors.
inline constexpr const char* kDocuments[] = {"config.json", "generation_config.json",
                                             "tokenizer.json", "tokenizer_config.json",
                                             "chat_template.jinja"};

}  // namespace attune
