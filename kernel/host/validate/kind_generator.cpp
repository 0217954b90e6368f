// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <set>

#include "attune/evaluator.h"
#include "attune/text.h"
#include "kernel/host/validate/forms.h"
#include "kernel/host/validate/kinds.h"

namespace attune::validate {
namespace {

const attune_generator* table_of(const void* table) { return static_cast<const attune_generator*>(table); }

/// Throws Failed where an answer is none.
void check_answer(const attune_answer& answer, const std::set<uint64_t>& asked) {
  const auto fail = [](const std::string& what) { throw Failed("an answer: " + what); };
  if (answer.size < ATTUNE_END(attune_answer, n_ids)) fail("its size is " + std::to_string(answer.size) + ", which ends before `n_ids`");
  if (!asked.contains(answer.id)) fail("expected the id of a request, found " + std::to_string(answer.id));
  if (utf8(view(answer.text)) != view(answer.text)) fail("expected UTF-8, found other bytes");
  if (answer.n_ids > 0 && (!answer.ids || !answer.logprobs)) fail("expected ids with log-probabilities, found NULL");
  for (size_t i = 0; i < answer.n_ids; ++i) {
    if (!(answer.logprobs[i] <= 1e-6)) fail("expected log-probabilities of at most 0, found " + std::to_string(answer.logprobs[i]));
  }
}

class Generator final : public Kind {
 public:
  std::string_view id() const override { return "generator/1"; }
  std::string missing(const void* table) const override {
    const auto* t = table_of(table);
    return first_missing(
        {{"destroy", ATTUNE_HAS(t, attune_generator, destroy) != 0}, {"generate", ATTUNE_HAS(t, attune_generator, generate) != 0}});
  }
  void destroy(void* table) const override { table_of(table)->destroy(table_of(table)->self); }
  std::string hint() const override {
    return "options are missing that it needs; give them with --cases, [{\"options\": {...}, \"generate\": [\"Hi\"]}]";
  }

  std::vector<Input> good(const Subject& subject) const override {
    std::vector<Input> found;
    for (const Input& one : subject.written("generate")) found.push_back({one.name, one.options, {{"prompts", one.given["generate"]}}});
    if (!found.empty()) return found;
    const bool required =
        std::any_of(subject.factory.options.begin(), subject.factory.options.end(), [](const OptionSchema& one) { return one.required; });
    if (required) return {};
    return {{"a prompt", subject.complete({}), {{"prompts", Json::array({"Hi"})}}},
            {"three prompts", subject.complete({}), {{"prompts", Json::array({"One", "Two", "Three"})}}}};
  }
  std::vector<Input> bad(const Subject& subject) const override {
    std::vector<Input> found;
    for (const Input& one : good(subject)) {
      found.push_back({"no request", one.options, {{"prompts", Json::array()}}});
      found.push_back({"an empty prompt", one.options, {{"prompts", Json::array({""})}}});
      found.push_back({"a likelihood", one.options, {{"prompts", Json::array({"Hi"})}, {"kind", ATTUNE_REQUEST_LIKELIHOOD}}});
      found.push_back({"a kind that there is not", one.options, {{"prompts", Json::array({"Hi"})}, {"kind", 99}}});
      break;
    }
    return found;
  }
  std::vector<Input> huge(const Subject& subject) const override {
    std::vector<Input> found;
    for (const Input& one : good(subject)) {
      found.push_back({"a prompt of 1 MiB", one.options, {{"prompts", Json::array({std::string(1 << 20, 'x')})}}});
      break;
    }
    return found;
  }

  Json use(Witness& witness, void* table, const Json& given, SinkRule& rule) const override {
    const auto* t = table_of(table);
    std::deque<Turns> turns;
    std::deque<attune_request> requests;
    std::vector<const attune_request*> pointers;
    std::set<uint64_t> asked;
    for (const Json& prompt : given.at("prompts")) {
      turns.emplace_back(Json::array({Json::array({"user", prompt})}));
      attune_request& one = requests.emplace_back(
          make_request(given.value("kind", int32_t{ATTUNE_REQUEST_GENERATE}), turns.back().data(), turns.back().size()));
      one.id = 100 + requests.size();
      one.max_tokens = 8;
      asked.insert(one.id);
      pointers.push_back(&one);
    }
    Json answers = Json::array();
    const auto sink = watched<attune_answer_sink, const attune_answer*>(rule, [&](const attune_answer* answer) {
      check_answer(*answer, asked);
      answers.push_back({{"id", answer->id},
                         {"stop", answer->stop},
                         {"text", string(answer->text)},
                         {"ids", std::vector<int64_t>(answer->ids, answer->ids + answer->n_ids)}});
    });
    const Answer answer =
        called(witness, "generate", rule, [&] { return t->generate(t->self, pointers.data(), pointers.size(), sink.get()); });
    sink.check();
    std::sort(answers.begin(), answers.end(), [](const Json& a, const Json& b) { return a["id"] < b["id"]; });
    return {{"answers", answers}, {"end", answer.json()}};
  }

  std::vector<Test> tests(Engine*) const override {
    return {{"answers", "Each request has one answer, by its id", [this](const Subject& subject) { answers(subject); }}};
  }

 private:
  void answers(const Subject& subject) const {
    Stage stage(subject);
    for (const Input& input : some_good(subject)) {
      const Json made = use_fresh(subject, stage, input);
      if (!made.contains("end") || made["end"] != "ok") throw Failed(input.name + ": expected answers, found " + brief(made));
      std::set<uint64_t> ids;
      for (const Json& answer : made["answers"]) {
        if (!ids.insert(answer["id"].get<uint64_t>()).second)
          throw Failed(input.name + ": request " + answer["id"].dump() + " was answered twice");
        const int stop = answer["stop"];
        if (stop < ATTUNE_STOP_END || stop > ATTUNE_STOP_LENGTH)
          throw Failed(input.name + ": expected a stop from 1 to 3, found " + std::to_string(stop));
      }
      if (ids.size() != input.given["prompts"].size())
        throw Failed(input.name + ": asked " + std::to_string(input.given["prompts"].size()) + ", answered " + std::to_string(ids.size()));
    }
  }
};

}  // namespace

const Kind& generator_kind() {
  static const Generator kind;
  return kind;
}

}  // namespace attune::validate
