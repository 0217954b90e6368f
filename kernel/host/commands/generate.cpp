// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/generate.h"

#include "kernel/host/commands/command.h"
#include "kernel/host/commands/json_lines.h"
#include "kernel/host/commands/open_model.h"
#include "kernel/host/exit.h"
#include "kernel/host/services/services.h"

namespace attune {
namespace {

Sampling sampling_of(const Arguments& arguments) {
  Sampling made;
  made.max_tokens = arguments.integer("max-tokens", made.max_tokens, 1);
  made.temperature = arguments.number("temperature", made.temperature);
  made.top_k = arguments.integer("top-k", made.top_k);
  made.top_p = arguments.number("top-p", made.top_p);
  if (made.top_p <= 0 || made.top_p > 1)
    throw ExitError(Exit::kUsage, "--top-p: expected a number above 0, at most 1");
  made.seed = static_cast<uint64_t>(arguments.integer("seed", 0));
  made.stop = arguments.all("stop");
  return made;
}

std::vector<InputRow> rows_of(const Arguments& arguments, Console& console) {
  const auto prompt = arguments.text("PROMPT");
  if (prompt && arguments.flag("input"))
    throw ExitError(Exit::kUsage, "give PROMPT or --input, not both");
  if (!prompt) return read_rows(arguments.text("input", "-"), console);
  InputRow row{Json::object(), "PROMPT"};
  if (arguments.flag("raw")) {
    row.json["text"] = *prompt;
  } else {
    row.json["messages"] = Json::array({Json{{"role", "user"}, {"content", *prompt}}});
  }
  return {row};
}

/// A raw text is one turn without a role.
SampleBuilder turns_of(const InputRow& row, bool& raw) {
  raw = only_key(row, {"text", "messages"}) == "text";
  if (!raw) return read_messages(row);
  SampleBuilder sample;
  sample.add({.messages = {{"user", row_text(row, "text")}}});
  return sample;
}

Json answer_row(const OwnedAnswer& answer) {
  return {{"text", answer.text},
          {"ids", answer.ids},
          {"logprobs", answer.logprobs},
          {"stop", stop_name(answer.stop)}};
}

int run(const Arguments& arguments, Context& context) {
  const Sampling sampling = sampling_of(arguments);
  std::vector<attune_str> stops;
  for (const std::string& stop : sampling.stop) stops.push_back(str(stop));
  RequestList requests(sampling.seed);
  const auto rows = rows_of(arguments, context.console);
  for (const InputRow& row : rows) {
    bool raw = false;
    const SampleBuilder kept = turns_of(row, raw);
    const attune_view view = kept.c().views[0];
    attune_request request = generation_request({view.turns, view.n_turns}, sampling, stops);
    request.raw = raw;
    requests.add(request);
  }

  const auto installation = installation_for(arguments, context);
  const bool one = arguments.text("PROMPT").has_value();
  context.console.quiet = one || arguments.flag("quiet");
  Services services(*installation, context.console);
  const auto model = open_model(arguments, *installation, services);
  RowWriter writer(arguments.text("output", "-"), context.console);
  const auto answers = ask(model->generator(), requests, services);
  if (one && !arguments.flag("output")) {
    context.console.out << answers.front().text << "\n";
    return 0;
  }
  for (const OwnedAnswer& answer : answers) writer.write(answer_row(answer));
  writer.finish();
  return 0;
}

}  // namespace

Command generate_command() {
  CommandSpec spec{
      "generate",
      "Answer one prompt, or one for each JSON object a line",
      "attune generate models/smollm2 \"What is the capital of France?\" --max-tokens 40",
      {{"MODEL", "Folder in the Hugging Face layout, or a checkpoint file"},
       {"[PROMPT]", "A user's message; without it, rows of --input are answered"}},
      {{"input", "FILE",
        "Rows {\"text\"} (continued as it is) or {\"messages\"}; - is standard input (default)"},
       {"output", "FILE",
        "Rows {\"text\", \"ids\", \"logprobs\", \"stop\"}; - is standard output (default)"},
       {"raw", "", "Continue PROMPT as it is, without the chat template"},
       {"max-tokens", "N", "Longest answer (default 128)"},
       {"temperature", "T", "0, the default: the likeliest token"},
       {"top-k", "K", "Sample among the K likeliest tokens; 0, the default: all"},
       {"top-p", "P", "Sample among the likeliest tokens of this much probability (default 1)"},
       {"seed", "S", "Start of the random streams (default 0)"},
       {"stop", "TEXT", "End an answer before this text", true},
       {"quiet,q", "", "No progress"}}};
  for (const OptionSpec& option : model_options()) spec.options.push_back(option);
  return {spec, &run};
}

}  // namespace attune
