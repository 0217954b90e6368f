// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/commands/command.h"
#include "kernel/host/commands/json_lines.h"
#include "kernel/host/exit.h"
#include "kernel/host/services/services.h"
#include "kernel/host/services/tokenizer.h"

namespace attune {
namespace {

Json tokenized(const std::string& text, const std::vector<attune_span>& scored,
               const Tokenizer& tokenizer, bool add_special) {
  const Encoding encoding = tokenizer.encode(text, add_special);
  Json offsets = Json::array(), spans = Json::array();
  for (const attune_token_offset& offset : encoding.offsets)
    offsets.push_back({offset.begin, offset.end});
  for (const attune_span& span : scored) spans.push_back({span.begin, span.end});
  return {{"ids", encoding.ids}, {"offsets", offsets}, {"rendered", text}, {"scored", spans}};
}

Json tokenize_row(const InputRow& row, const Tokenizer& tokenizer, bool add_special) {
  if (only_key(row, {"text", "messages"}) == "text")
    return tokenized(row_text(row, "text"), {}, tokenizer, add_special);
  const SampleBuilder sample = read_messages(row);
  const attune_view view = sample.c().views[0];
  const std::span<const attune_turn> turns(view.turns, view.n_turns);
  const Rendering rendering =
      tokenizer.render(turns, row_flag(row, "add_generation_prompt", false));
  return tokenized(rendering.text, scored_spans(rendering, turns, 0), tokenizer, add_special);
}

int tokenize(const Arguments& arguments, Context& context) {
  const auto installation = installation_for(arguments, context);
  Services services(*installation, context.console);
  const auto tokenizer = services.tokenizer(*arguments.text("MODEL"));
  const auto rows = read_rows(arguments.text("input", "-"), context.console);
  RowWriter writer(arguments.text("output", "-"), context.console);
  for (const InputRow& row : rows) {
    at_row(row,
           [&] { writer.write(tokenize_row(row, *tokenizer, arguments.flag("add-special"))); });
  }
  writer.finish();
  return 0;
}

}  // namespace

Command tokenize_command() {
  return {
      {"tokenize",
       "Token ids of texts and conversations, one JSON object a line; needs no engine",
       "echo '{\"text\": \"Hello\"}' | attune tokenize models/smollm2",
       {{"MODEL", "Folder with tokenizer.json, or a checkpoint file that carries one"}},
       {{"input", "FILE",
         "Rows {\"text\"} or {\"messages\", \"add_generation_prompt\"}; - is standard input "
         "(default)"},
        {"output", "FILE",
         "Rows {\"ids\", \"offsets\", \"rendered\", \"scored\"}; - is standard output (default)"},
        {"add-special", "", "Add what the tokenizer adds around a text (BOS, EOS)"},
        plugin_path_option()}},
      &tokenize};
}

}  // namespace attune
