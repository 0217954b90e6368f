// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "gguf_file.h"

namespace attune {

/// The files that Transformers keeps beside a model, rebuilt from metadata. Nothing where the
/// metadata has none.
std::optional<std::string> tokenizer_json(const GgufFile& file);
std::optional<std::string> tokenizer_config_json(const GgufFile& file);
std::optional<std::string> chat_template(const GgufFile& file);
std::optional<std::string> generation_config_json(const GgufFile& file);

}  // namespace attune
