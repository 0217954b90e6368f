// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/evaluate.h"

#include <cmath>
#include <map>
#include <numeric>

#include "kernel/host/run/requests.h"
#include "kernel/host/run/statistics.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

/// All samples of an entry, and which requests are whose.
struct Questions {
  explicit Questions(uint64_t seed) : requests(seed) {}
  std::vector<SampleBuilder> samples;
  std::vector<size_t> ends;  ///< per sample: requests up to and with it
  RequestList requests;
};

Questions pose(const Evaluator& evaluator, SampleSource& source, uint64_t seed) {
  Questions made(seed);
  for (int64_t i = 0; i < source.size(); ++i) {
    made.samples.push_back(source.at(i));
    const attune_sample sample = made.samples.back().c();
    const auto take = [&](const attune_request* request) { made.requests.add(*request); };
    evaluator.failure.check(collect<RequestSinkOf>(take,
                                                   [&](const attune_request_sink* sink) {
                                                     return evaluator.table->request(
                                                         evaluator.table->self, &sample, sink);
                                                   }),
                            source.describe(i), Exit::kData);
    made.ends.push_back(made.requests.size());
  }
  return made;
}

Json score(const Evaluator& evaluator, const attune_sample& sample,
           std::span<const OwnedAnswer> owned, const std::string& where) {
  std::vector<attune_answer> answers;
  std::vector<const attune_answer*> pointers;
  for (const OwnedAnswer& answer : owned) answers.push_back(answer.c());
  for (const attune_answer& answer : answers) pointers.push_back(&answer);
  Json metrics = Json::object();
  const auto take = [&](const attune_value* value) { metrics = to_json(*value); };
  evaluator.failure.check(collect<ValueSinkOf>(take,
                                               [&](const attune_value_sink* sink) {
                                                 return evaluator.table->score(
                                                     evaluator.table->self, &sample,
                                                     pointers.data(), pointers.size(), sink);
                                               }),
                          where, Exit::kData);
  for (const auto& [name, value] : metrics.items()) {
    const bool number =
        value.is_boolean() || (value.is_number() && std::isfinite(value.get<double>()));
    if (number) continue;
    throw ExitError(Exit::kRunFailed, evaluator.failure.who() + ": " + where + ": metric \"" +
                                          name + "\": expected a finite number, found " +
                                          value.dump());
  }
  return metrics;
}

Json answer_json(const OwnedAnswer& answer) {
  Json json = Json::object();
  if (answer.stop != 0) {
    json["text"] = answer.text;
    json["stop"] = stop_name(answer.stop);
  }
  if (!answer.values.empty()) json["values"] = answer.values;
  json["tokens"] = answer.ids.size();
  if (!answer.logprobs.empty()) {
    json["logprob"] = std::accumulate(answer.logprobs.begin(), answer.logprobs.end(), 0.0);
  }
  return json;
}

std::string json_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

double as_number(const Json& value) {
  return value.is_boolean() ? double(value.get<bool>()) : value.get<double>();
}

}  // namespace

Json evaluate_one(const Json& entry, uint64_t seed, attune_generator& generator, RunServices& host,
                  std::string& rows) {
  const std::string name = entry.at("name");
  const auto source = host.samples(entry.at("data"));
  const Evaluator evaluator =
      host.evaluator(entry.at("use"), entry.value("options", Json::object()));
  const Questions questions = pose(evaluator, *source, seed);
  host.log(ATTUNE_LOG_INFO,
           "evaluator " + name + ": " + std::to_string(questions.samples.size()) + " samples");
  const std::vector<OwnedAnswer> answers = ask(generator, questions.requests, host);

  std::map<std::string, std::vector<double>> values;
  std::vector<std::string> order;
  size_t begin = 0;
  for (size_t i = 0; i < questions.samples.size(); ++i) {
    const std::span mine = std::span(answers).subspan(begin, questions.ends[i] - begin);
    begin = questions.ends[i];
    const attune_sample sample = questions.samples[i].c();
    const Json metrics = score(evaluator, sample, mine, source->describe(static_cast<int64_t>(i)));
    Json row = {{"evaluator", name}, {"id", string(sample.id)}, {"metrics", metrics}};
    for (const OwnedAnswer& answer : mine) row["answers"].push_back(answer_json(answer));
    rows += json_line(row);
    for (const auto& [metric, value] : metrics.items()) {
      if (!values.contains(metric)) order.push_back(metric);
      values[metric].push_back(as_number(value));
    }
  }

  Json result = {{"rows", questions.samples.size()}, {"metrics", Json::object()}};
  for (const std::string& metric : order) {
    const Estimate of = estimate(values[metric]);
    result["metrics"][metric] = {
        {"value", of.mean}, {"low", of.low}, {"high", of.high}, {"n", of.n}, {"share", of.share}};
  }
  return result;
}

Json evaluate(const Json& run, const std::string& folder, const EngineOf& engine,
              RunServices& host) {
  Answerer answerer(run, engine, host);
  Json results = {{"model", answerer_name(run)}, {"evaluate", Json::object()}};
  std::string rows;
  const auto seed = run.at("run").value("seed", uint64_t{0});
  for (const Json& entry : run.at("evaluate")) {
    results["evaluate"][entry.at("name").get<std::string>()] =
        evaluate_one(entry, seed, answerer.generator(), host, rows);
  }
  write_atomically(folder + "/samples.jsonl", rows);
  write_atomically(folder + "/results.json", results.dump(2) + "\n");
  return results;
}

}  // namespace attune
