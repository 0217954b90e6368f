// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <set>

#include "kernel/host/validate/forms.h"
#include "kernel/host/validate/kinds.h"
#include "kernel/host/validate/readable.h"

namespace attune::validate {
namespace {

const attune_evaluator* table_of(const void* table) { return static_cast<const attune_evaluator*>(table); }

/// Throws Failed where a request is none.
void check_request(const attune_request& request) {
  const auto fail = [](const std::string& what) { throw Failed("a request: " + what); };
  if (request.size < ATTUNE_END(attune_request, n_stops))
    fail("its size is " + std::to_string(request.size) + ", which ends before `n_stops`");
  if (request.kind < ATTUNE_REQUEST_GENERATE || request.kind > ATTUNE_REQUEST_VALUES)
    fail("expected a kind from 1 to 3, found " + std::to_string(request.kind));
  if (request.n_turns == 0 || !request.turns) fail("expected turns, found none");
  if (request.kind == ATTUNE_REQUEST_LIKELIHOOD && request.n_prompt > request.n_turns) fail("n_prompt is beyond the turns");
  if (request.kind == ATTUNE_REQUEST_GENERATE) {
    if (request.max_tokens < 1) fail("expected max_tokens of 1 or more, found " + std::to_string(request.max_tokens));
    if (!(request.temperature >= 0)) fail("expected a temperature of 0 or more, found " + std::to_string(request.temperature));
    if (!(request.top_p > 0 && request.top_p <= 1)) fail("expected top_p above 0 and at most 1, found " + std::to_string(request.top_p));
    if (request.top_k < 0) fail("expected top_k of 0 or more, found " + std::to_string(request.top_k));
  }
  if (request.n_stops > 0 && !request.stops) fail("expected stops, found NULL");
  attune_view turns{request.turns, request.n_turns, 0, {}};
  attune_sample sample{ATTUNE_END(attune_sample, labels), 0, {}, &turns, 1, 0, nullptr};
  check_sample(sample);
}

/// Answers in the C form: a text, a list of log-probabilities, or a value.
class Answers {
 public:
  explicit Answers(const Json& json) {
    for (const Json& one : json) {
      attune_answer made{};
      made.size = ATTUNE_END(attune_answer, n_outputs);
      made.stop = ATTUNE_STOP_END;
      std::vector<double>& numbers = numbers_.emplace_back();
      if (one.is_string()) made.text = str(texts_.emplace_back(one.get<std::string>()));
      if (one.is_array()) numbers = one.get<std::vector<double>>();
      if (one.is_number()) numbers = {one.get<double>()};
      std::vector<int64_t>& ids = ids_.emplace_back(numbers.size(), 1);
      if (one.is_array()) made.ids = ids.data(), made.logprobs = numbers.data(), made.n_ids = numbers.size();
      if (one.is_number()) made.values = numbers.data(), made.n_places = made.n_outputs = 1;
      answers_.push_back(made);
    }
    for (attune_answer& one : answers_) pointers_.push_back(&one);
  }
  const attune_answer* const* data() const { return pointers_.data(); }
  size_t size() const { return pointers_.size(); }

 private:
  std::deque<std::string> texts_;
  std::deque<std::vector<double>> numbers_;
  std::deque<std::vector<int64_t>> ids_;
  std::deque<attune_answer> answers_;
  std::vector<const attune_answer*> pointers_;
};

class Evaluator final : public Kind {
 public:
  std::string_view id() const override { return "evaluator/1"; }
  std::string missing(const void* table) const override {
    const auto* t = table_of(table);
    return first_missing({{"destroy", ATTUNE_HAS(t, attune_evaluator, destroy) != 0},
                          {"request", ATTUNE_HAS(t, attune_evaluator, request) != 0},
                          {"score", ATTUNE_HAS(t, attune_evaluator, score) != 0}});
  }
  void destroy(void* table) const override { table_of(table)->destroy(table_of(table)->self); }
  std::string hint() const override {
    return "no sample is known that it takes; give some with --cases, [{\"sample\": {...}, \"answers\": [...], \"metrics\": {...}}]";
  }

  std::vector<Input> good(const Subject& subject) const override {
    std::vector<Input> found;
    for (const Input& one : subject.written("sample")) {
      if (!one.given.contains("refused")) found.push_back(one);
    }
    if (!found.empty()) return found;
    Stage stage(subject);
    const Json samples[] = {Json::parse(R"({"views": [["user: 2+2?"]], "n_prompt": 1, "labels": {"answer": "4"}})"),
                            Json::parse(R"({"views": [["user: 2+2?", "assistant: 4"], ["user: 2+2?", "assistant: 5"]], "n_prompt": 1})")};
    for (const Json& sample : samples) {
      const Input one{"a usual sample", subject.complete({}), {{"sample", sample}}};
      const Json result = use_fresh(subject, stage, one);
      if (result.contains("metrics") && result["end"] == "ok") found.push_back(one);
    }
    return found;
  }

  std::vector<Input> bad(const Subject& subject) const override {
    std::vector<Input> found;
    for (const Input& one : subject.written("sample")) {
      if (one.given.contains("refused")) found.push_back(one);
    }
    const std::vector<Input> fine = good(subject);
    const Json options = fine.empty() ? subject.complete({}) : fine.front().options;
    const auto add = [&](const std::string& name, Json sample, Json answers) {
      Json given = {{"sample", std::move(sample)}};
      if (!answers.is_null()) given["answers"] = std::move(answers);
      found.push_back({name, options, given});
    };
    add("a sample without a view", {{"views", Json::array()}, {"n_prompt", 0}}, nullptr);
    add("a sample without a prompt", Json::parse(R"({"views": [["assistant: 4"]], "n_prompt": 0})"), nullptr);
    add("a view without a turn", {{"views", Json::array({Json::array()})}, {"n_prompt", 0}}, nullptr);
    if (fine.empty()) return found;
    const Json sample = fine.front().given["sample"];
    add("no answer", sample, Json::array());
    add("too many answers", sample, Json::array({"4", "4", "4", "4", "4"}));
    for (const Json& answer : {Json(""), Json(" \n"), Json::array(), Json::array({-1.0}), Json(0.5), Json("\xFF\xFE no UTF-8")})
      add("an answer that is " + answer.dump(-1, ' ', false, Json::error_handler_t::replace), sample, Json::array({answer}));
    Json unlabelled = sample;
    unlabelled.erase("labels");
    add("no labels", unlabelled, Json::array({"4"}));
    unlabelled["labels"] = {{"answer", 4}, {"other", Json::array()}};
    add("labels of another type", unlabelled, Json::array({"4"}));
    return found;
  }

  std::vector<Input> huge(const Subject& subject) const override {
    std::vector<Input> found;
    for (const Input& one : good(subject)) {
      Json given = one.given;
      given["answers"] = Json::array({std::string(2 << 20, 'x')});
      found.push_back({"an answer of 2 MiB", one.options, given});
      given["answers"] = Json::array({"It is " + std::string(1 << 20, '(') + " 4"});
      found.push_back({"an answer of a million brackets", one.options, given});
      return found;
    }
    return found;
  }

  Json use(Witness& witness, void* table, const Json& given, SinkRule& rule) const override {
    const auto* t = table_of(table);
    Json requests = Json::array(), answers = Json::array();
    const SampleBuilder sample = sample_of(given.at("sample"));
    const attune_sample c = sample.c();
    const auto sink = watched<attune_request_sink, const attune_request*>(rule, [&](const attune_request* request) {
      check_request(*request);
      requests.push_back(readable(*request));
      answers.push_back(request->kind == ATTUNE_REQUEST_GENERATE     ? Json("The answer is 4.")
                        : request->kind == ATTUNE_REQUEST_LIKELIHOOD ? Json::array({-1.5, -0.25 * static_cast<double>(requests.size())})
                                                                     : Json(0.5 / static_cast<double>(requests.size())));
    });
    Answer answer = called(witness, "request", rule, [&] { return t->request(t->self, &c, sink.get()); });
    sink.check();
    if (!answer.ok()) return {{"requests", requests}, {"end", answer.json()}};

    Json metrics;
    const Answers scored(given.value("answers", answers));
    const auto taken = watched<attune_value_sink, const attune_value*>(rule, [&](const attune_value* value) { metrics = plain(*value); });
    answer = called(witness, "score", rule, [&] { return t->score(t->self, &c, scored.data(), scored.size(), taken.get()); });
    taken.check();
    return {{"requests", requests}, {"metrics", metrics}, {"end", answer.json()}};
  }

  std::vector<Test> tests(Engine*) const override {
    return {
        {"requests", "Requests are whole, and of a kind that plugin.toml declares", [this](const Subject& subject) { requests(subject); }},
        {"metrics", "Metrics are finite numbers, and the same ones for every sample", [this](const Subject& subject) { metrics(subject); }},
        {"cases", "Samples are asked and scored as the author wrote down", [this](const Subject& subject) { cases(subject); }}};
  }

 private:
  void requests(const Subject& subject) const {
    Json declared = subject.factory.metadata.value("requests", Json());
    if (declared.is_string()) declared = Json::array({declared});
    if (!declared.is_array() || declared.empty())
      throw Failed("plugin.toml: expected requests = \"generate\" or \"likelihood\" or a list, found none");
    Stage stage(subject);
    for (const Input& input : some_good(subject)) {
      const Json made = use_fresh(subject, stage, input);
      if (made.value("requests", Json::array()).empty()) throw Failed(input.name + ": expected one request or more, found none");
      for (const Json& request : made["requests"]) {
        const std::string text = request;
        if (std::none_of(declared.begin(), declared.end(), [&](const Json& one) { return text.starts_with(one.get<std::string>() + " "); }))
          throw Failed(input.name + ": expected requests to " + declared.dump() + ", found \"" + text + "\"");
      }
    }
  }

  void metrics(const Subject& subject) const {
    Stage stage(subject);
    std::set<std::string> before;
    const std::vector<Input> inputs = some_good(subject);
    for (const Input& input : inputs) {
      const Json made = use_fresh(subject, stage, input);
      if (!made.contains("metrics") || made["end"] != "ok") throw Failed(input.name + ": expected metrics, found " + brief(made));
      if (!made["metrics"].is_object() || made["metrics"].empty())
        throw Failed(input.name + ": expected a map of metrics, found " + brief(made["metrics"]));
      std::set<std::string> names;
      for (const auto& [name, value] : made["metrics"].items()) {
        names.insert(name);
        if (!value.is_number() && !value.is_boolean())
          throw Failed(input.name + ": `" + name + "`: expected a finite number, found " + brief(value));
      }
      if (!before.empty() && before != names && input.options == inputs.front().options)
        throw Failed(input.name + ": expected the metrics of other samples, found " + brief(made["metrics"]));
      if (before.empty()) before = names;
    }
  }

  void cases(const Subject& subject) const {
    const std::vector<Input> all = subject.written("sample");
    if (all.empty()) throw Skipped("no samples were given; write them down and name the file with --cases");
    Stage stage(subject);
    for (const Input& one : all) {
      const Json found = use_fresh(subject, stage, one);
      const Json end = found.contains("create") ? found["create"] : found["end"];
      if (one.given.contains("refused")) {
        expect_equal(end == "ok" ? found["metrics"] : end["why"], one.given["refused"], one.name);
        continue;
      }
      if (end != "ok") throw Failed(one.name + ": expected it to be served, found " + brief(end));
      if (one.given.contains("requests")) expect_equal(found["requests"], one.given["requests"], one.name);
      if (one.given.contains("metrics")) expect_equal(found["metrics"], one.given["metrics"], one.name);
    }
  }
};

}  // namespace

const Kind& evaluator_kind() {
  static const Evaluator kind;
  return kind;
}

}  // namespace attune::validate
