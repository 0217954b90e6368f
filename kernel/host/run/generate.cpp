// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/generate.h"

#include "attune/evaluator.h"
#include "kernel/host/run/evaluate.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

std::string text_parts(const attune_turn& turn) {
  static constexpr const char* kNames[] = {"?", "text", "image", "audio", "video"};
  std::string text;
  for (size_t p = 0; p < turn.n_parts; ++p) {
    const attune_part& part = turn.parts[p];
    if (part.kind == ATTUNE_TEXT) {
      text.append(static_cast<const char*>(part.data.data), part.data.size);
    } else {
      text += std::string("<") + kNames[part.kind >= 1 && part.kind <= 4 ? part.kind : 0] + ">";
    }
  }
  return text;
}

/// One user turn: its text. More: each with its role.
std::string shown(std::span<const attune_turn> turns) {
  if (turns.size() == 1) return text_parts(turns[0]);
  std::string text;
  for (const attune_turn& turn : turns) {
    text += (text.empty() ? "" : "\n") + string(turn.role) + ": " + text_parts(turn);
  }
  return text;
}

}  // namespace

Sampling Sampling::from(const Json& table) {
  Sampling made;
  made.max_tokens = table.value("max_tokens", made.max_tokens);
  made.temperature = table.value("temperature", made.temperature);
  made.top_k = table.value("top_k", made.top_k);
  made.top_p = table.value("top_p", made.top_p);
  made.seed = table.value("seed", made.seed);
  made.stop = table.value("stop", made.stop);
  return made;
}

attune_request generation_request(std::span<const attune_turn> turns, const Sampling& sampling,
                                  std::span<const attune_str> stops) {
  attune_request request = make_request(ATTUNE_REQUEST_GENERATE, turns.data(), turns.size());
  request.max_tokens = sampling.max_tokens;
  request.temperature = sampling.temperature;
  request.top_k = sampling.top_k;
  request.top_p = sampling.top_p;
  request.seed = sampling.seed;
  request.stops = stops.data();
  request.n_stops = stops.size();
  return request;
}

std::span<const attune_turn> prompt_of(const attune_sample& sample) {
  const attune_view& first = sample.views[0];
  if (sample.n_prompt > 0) return {first.turns, sample.n_prompt};
  for (size_t t = first.n_turns; t > 1; --t) {
    if (view(first.turns[t - 1].role) == "assistant") return {first.turns, t - 1};
  }
  return {first.turns, first.n_turns};
}

Json generate(const Json& run, const std::string& folder, const EngineOf& engine,
              RunServices& host) {
  const Json& table = run.at("generate");
  const Sampling sampling = Sampling::from(table);
  std::vector<attune_str> stops;
  for (const std::string& stop : sampling.stop) stops.push_back(str(stop));

  const auto source = host.samples(table.at("data"));
  RequestList requests(sampling.seed);
  std::vector<Json> rows;
  for (int64_t i = 0; i < source->size(); ++i) {
    const SampleBuilder kept = source->at(i);
    const attune_sample sample = kept.c();
    const auto prompt = prompt_of(sample);
    requests.add(generation_request(prompt, sampling, stops));
    rows.push_back({{"id", string(sample.id)}, {"prompt", shown(prompt)}});
  }

  Answerer answerer(run, engine, host);
  const std::vector<OwnedAnswer> answers = ask(answerer.generator(), requests, host);
  std::string text;
  int64_t tokens = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    rows[i]["text"] = answers[i].text;
    rows[i]["ids"] = answers[i].ids;
    rows[i]["logprobs"] = answers[i].logprobs;
    rows[i]["stop"] = stop_name(answers[i].stop);
    tokens += static_cast<int64_t>(answers[i].ids.size());
    text += rows[i].dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  write_atomically(folder + "/answers.jsonl", text);
  return {{"rows", answers.size()}, {"tokens", tokens}};
}

}  // namespace attune
