// SPDX-License-Identifier: Apache-2.0
// A checkpoint's chat template, applied to three turns. The interpreter is in Rust and not instrumented: inputs are blind.
#include <filesystem>
#include <fstream>

#include "fuzz/plugin.h"
#include "fuzz/target.h"

namespace {

namespace fs = std::filesystem;

/// A folder with the tokenizer of configs/tiny, whose template is replaced.
fs::path folder() {
  static const fs::path made = [] {
    const fs::path path = attune::fuzz::file_of("", "-tokenizer") + ".d";
    fs::create_directories(path);
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) {
      const fs::path from = fs::path(ATTUNE_SOURCE_DIR) / "configs/tiny/model" / name;
      if (fs::exists(from)) fs::copy_file(from, path / name, fs::copy_options::overwrite_existing);
    }
    return path;
  }();
  return made;
}

}  // namespace

ATTUNE_FUZZ_TARGET(chat_template) {
  using namespace attune;
  std::ofstream(folder() / "chat_template.jinja", std::ios::binary) << bytes;
  auto* const tokenizer = static_cast<attune_tokenizer*>(fuzz::make("huggingface", "tokenizer/1", {{"path", folder().string()}}));
  if (!tokenizer) return;
  attune_part part{};
  part.kind = ATTUNE_TEXT;
  part.data = {"Hello <&> {{ x }}", 17};
  const attune_turn turns[] = {{str("system"), &part, 1, 1}, {str("user"), &part, 1, 1}, {str("assistant"), &part, 1, 1}};
  const attune_rendering_sink sink{ATTUNE_END(attune_rendering_sink, emit), 0, nullptr, [](void*, const attune_rendering* made) {
                                     for (size_t i = 0; i < made->n_spans; ++i) {
                                       const attune_span& span = made->spans[i];
                                       if (span.begin > span.end || span.end > made->text.size || span.turn >= 3) std::abort();
                                     }
                                     return int32_t{ATTUNE_OK};
                                   }};
  tokenizer->render(tokenizer->self, turns, 3, ATTUNE_RENDER_GENERATION_PROMPT, &sink);
  tokenizer->destroy(tokenizer->self);
}
