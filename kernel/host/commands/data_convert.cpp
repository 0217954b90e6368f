// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernel/host/commands/data_of_run.h"
#include "kernel/host/commands/json_lines.h"
#include "kernel/host/exit.h"
#include "kernel/host/services/services.h"

namespace attune {
namespace {

Json turn_json(const attune_turn& turn) {
  static constexpr const char* kKinds[] = {"?", "text", "image", "audio", "video"};
  Json parts = Json::array();
  for (size_t p = 0; p < turn.n_parts; ++p) {
    const attune_part& part = turn.parts[p];
    const std::string_view data(static_cast<const char*>(part.data.data), part.data.size);
    if (part.kind == ATTUNE_TEXT) {
      parts.push_back({{"type", "text"}, {"text", data}});
    } else if (part.uri.size > 0 && data.empty()) {
      parts.push_back({{"type", kKinds[part.kind]}, {"url", view(part.uri)}});
    } else {
      throw Error(std::string("holds ") + kKinds[part.kind] +
                  " as bytes; only media with an address can be written as JSON");
    }
  }
  const bool one = parts.size() == 1 && parts[0]["type"] == "text";
  Json made = {{"role", view(turn.role)}, {"content", one ? parts[0]["text"] : parts}};
  if (turn.weight != 1) made["weight"] = turn.weight;
  return made;
}

Json turns_json(const attune_view& of, size_t from, size_t to) {
  Json made = Json::array();
  for (size_t t = from; t < to; ++t) made.push_back(turn_json(of.turns[t]));
  return made;
}

Json sample_json(const attune_sample& sample) {
  Json row = {{"id", view(sample.id)}, {"prompt", turns_json(sample.views[0], 0, sample.n_prompt)}};
  for (size_t v = 0; v < sample.n_views; ++v) {
    const attune_view& of = sample.views[v];
    if (of.n_turns == sample.n_prompt) continue;
    Json answer = {{"turns", turns_json(of, sample.n_prompt, of.n_turns)}};
    if (!std::isnan(of.rating)) answer["rating"] = of.rating;
    if (of.feedback.size > 0) answer["feedback"] = view(of.feedback);
    row["answers"].push_back(answer);
  }
  if (sample.labels) row["labels"] = to_json(*sample.labels);
  return row;
}

int convert(const Arguments& arguments, Context& context) {
  const CheckedRun checked = load_checked(arguments, context);
  const DataOfRun data = data_of_run_in(checked, arguments);
  Services services(*checked.installation, context.console);
  std::vector<std::unique_ptr<SampleSource>> sources;
  if (data.run.contains("data") && arguments.text("split", "train") == "train")
    sources = services.sources(data.run["data"], "train");
  else
    for (const Json& entry : data.entries) sources.push_back(services.samples(entry));
  RowWriter writer(arguments.text("output", "-"), context.console);
  for (const auto& source : sources) {
    for (int64_t i = 0; i < source->size(); ++i) {
      try {
        const SampleBuilder sample = source->at(i);
        writer.write(sample_json(sample.c()));
      } catch (const ExitError&) {
        throw;
      } catch (const Error& error) {
        throw ExitError(Exit::kData, source->describe(i) + ": " + error.what());
      }
    }
  }
  writer.finish();
  return 0;
}

}  // namespace

Command data_convert_command() {
  CommandSpec spec{"data convert",
                   "Write a run's samples as rows for the dataset `samples`, without duplicates "
                   "and contaminated ones where [data] says so",
                   "attune data convert configs/quickstart.toml --stage dpo --output pairs.jsonl",
                   {{"FILE", "The manifest (TOML)"}},
                   data_options()};
  spec.options.push_back({"output", "FILE", "Where to write; - is standard output (default)"});
  return {spec, &convert};
}

}  // namespace attune
