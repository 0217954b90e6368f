// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernel/host/commands/command.h"
#include "kernel/host/commands/json_lines.h"
#include "kernel/host/commands/open_model.h"
#include "attune/evaluator.h"
#include "kernel/host/exit.h"
#include "kernel/host/run/requests.h"
#include "kernel/host/services/services.h"

namespace attune {
namespace {

constexpr size_t kRowsAtOnce = 32;

std::vector<int64_t> ids_of(const InputRow& row, const Tokenizer& tokenizer, bool add_special) {
  const std::string key = only_key(row, {"text", "ids", "messages"});
  if (key == "text") return tokenizer.encode(row_text(row, "text"), add_special).ids;
  if (key == "messages") {
    const SampleBuilder sample = read_messages(row);
    const attune_view view = sample.c().views[0];
    const bool prompt = row_flag(row, "add_generation_prompt", false);
    return tokenizer.encode(tokenizer.render({view.turns, view.n_turns}, prompt).text, add_special)
        .ids;
  }
  std::vector<int64_t> ids = row_ids(row, "ids");
  for (const int64_t id : ids) {
    if (id < 0 || id >= tokenizer.vocabulary()) {
      throw ExitError(Exit::kData, "ids: " + std::to_string(id) +
                                       " is no token; the vocabulary has ids 0 to " +
                                       std::to_string(tokenizer.vocabulary() - 1));
    }
  }
  return ids;
}

Json scored_row(const std::vector<int64_t>& ids, const std::vector<double>& logprobs) {
  Json list = Json::array();
  for (const double logprob : logprobs)
    list.push_back(std::isnan(logprob) ? Json(nullptr) : Json(logprob));
  return {{"ids", ids}, {"logprobs", list}};
}

/// What a model with a value head says of a conversation: its outputs, or those of each step.
Json values_row(const OwnedAnswer& answer) {
  Json places = Json::array();
  for (size_t i = 0; i < answer.n_places; ++i) {
    const double* at = answer.values.data() + i * answer.n_outputs;
    places.push_back(std::vector<double>(at, at + answer.n_outputs));
  }
  return {{"values", places.size() == 1 ? places[0] : places}};
}

Json judge(std::span<const InputRow> rows, LanguageModel& model, RunServices& services) {
  RequestList requests(0);
  for (const InputRow& row : rows) {
    at_row(row, [&] {
      only_key(row, {"messages"});
      const SampleBuilder sample = read_messages(row);
      const attune_view view = sample.c().views[0];
      auto request = make_request(ATTUNE_REQUEST_VALUES, view.turns, view.n_turns);
      request.n_prompt = view.n_turns - 1;
      requests.add(request);
    });
  }
  Json made = Json::array();
  for (const OwnedAnswer& answer : ask(model.generator(), requests, services)) made.push_back(values_row(answer));
  return made;
}

std::vector<InputRow> rows_of(const Arguments& arguments, Console& console) {
  if (const auto text = arguments.text("text")) return {InputRow{Json{{"text", *text}}, "--text"}};
  return read_rows(arguments.text("input", "-"), console);
}

int score(const Arguments& arguments, Context& context) {
  const auto installation = installation_for(arguments, context);
  Services services(*installation, context.console);
  const auto rows = rows_of(arguments, context.console);
  const auto model = open_model(arguments, *installation, services);
  RowWriter writer(arguments.text("output", "-"), context.console);
  for (size_t begin = 0; begin < rows.size(); begin += kRowsAtOnce) {
    if (model->judges()) {
      const size_t n = std::min(rows.size() - begin, kRowsAtOnce);
      for (const Json& row : judge(std::span(rows).subspan(begin, n), *model, services)) writer.write(row);
      continue;
    }
    std::vector<std::vector<int64_t>> ids;
    for (size_t i = begin; i < std::min(rows.size(), begin + kRowsAtOnce); ++i) {
      at_row(rows[i], [&] {
        ids.push_back(ids_of(rows[i], model->tokenizer(), arguments.flag("add-special")));
      });
    }
    const auto logprobs = model->score(ids);
    for (size_t i = 0; i < ids.size(); ++i) writer.write(scored_row(ids[i], logprobs[i]));
    services.progress("score", static_cast<int64_t>(begin + ids.size()),
                      static_cast<int64_t>(rows.size()));
  }
  writer.finish();
  return 0;
}

}  // namespace

Command score_command() {
  CommandSpec spec{
      "score",
      "Log-probability of each token of texts and conversations, or what a reward model gives a conversation; one JSON object a line",
      "attune score models/smollm2 --text \"The capital of France is Paris.\"",
      {{"MODEL", "Folder in the Hugging Face layout, or a checkpoint file"}},
      {{"input", "FILE",
        "Rows {\"text\"}, {\"ids\"} or {\"messages\"}; - is standard input (default)"},
       {"output", "FILE",
        "Rows {\"ids\", \"logprobs\"}, null for the first id, or {\"values\"}; - is standard output (default)"},
       {"text", "TEXT", "Score this text instead of --input"},
       {"add-special", "", "Add what the tokenizer adds around a text (BOS, EOS)"}}};
  for (const OptionSpec& option : model_options()) spec.options.push_back(option);
  return {spec, &score};
}

}  // namespace attune
