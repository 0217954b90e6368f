// SPDX-License-Identifier: Apache-2.0
// A checkpoint's chat template, applied to three turns; the last one begins and ends with white space.
#include <cstdlib>

#include "fuzz/plugin.h"
#include "fuzz/target.h"

namespace {

// The least that is a tokenizer: it is opened for each input.
constexpr const char* kTokenizer =
    R"({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
        "post_processor": null, "decoder": null, "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}})";

std::string folder() {
  const std::string file = attune::fuzz::file_of(kTokenizer, "tokenizer.json");
  attune::fuzz::file_of(R"({"bos_token": "a"})", "tokenizer_config.json");
  return file.substr(0, file.rfind('/'));
}

int32_t take(void*, const attune_rendering* made) {
  for (size_t i = 0; i < made->n_spans; ++i) {
    const attune_span& span = made->spans[i];
    if (span.begin > span.end || span.end > made->text.size || span.turn >= 3) std::abort();
  }
  return ATTUNE_OK;
}

}  // namespace

ATTUNE_FUZZ_TARGET(chat_template) {
  using namespace attune;
  static const std::string path = folder();
  fuzz::file_of(bytes, "chat_template.jinja");
  auto* const tokenizer = static_cast<attune_tokenizer*>(fuzz::make("huggingface", "tokenizer/1", {{"path", path}}));
  if (!tokenizer) return;
  attune_part parts[3]{};
  constexpr std::string_view kTexts[] = {"Be brief.", "Hello <&> {{ x }}", " \nYes: \xE2\x82\xAC. "};
  for (size_t i = 0; i < 3; ++i) parts[i].kind = ATTUNE_TEXT, parts[i].data = {kTexts[i].data(), kTexts[i].size()};
  const attune_turn turns[] = {{str("system"), &parts[0], 1, 1}, {str("user"), &parts[1], 1, 1}, {str("assistant"), &parts[2], 1, 1}};
  const attune_rendering_sink sink{ATTUNE_END(attune_rendering_sink, emit), 0, nullptr, &take};
  tokenizer->render(tokenizer->self, turns, 3, ATTUNE_RENDER_GENERATION_PROMPT, &sink);
  tokenizer->destroy(tokenizer->self);
}
