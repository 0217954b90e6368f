// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "attune/dataset.h"
#include "attune/evaluator.h"
#include "attune/reader.h"
#include "attune/weights.h"
#include "kernel/host/run/runner.h"
#include "kernel/host/services/files.h"

/// Stand-ins for plugins and for the engine, so that the host's own work is tested alone.
namespace attune::testing {

/// One host for all fake plugins; its error slot is what `last_failure` reads.
struct FakePluginHost {
  std::string why;
  attune_host table{ATTUNE_END(attune_host, fail),
                    ATTUNE_ABI_MAJOR,
                    ATTUNE_ABI_MINOR,
                    this,
                    [](const attune_host*, const char*) -> const void* { return nullptr; },
                    [](const attune_host* host, int32_t code, attune_str said) {
                      static_cast<FakePluginHost*>(host->context)->why = string(said);
                      return code;
                    }};
};

inline FakePluginHost& fake_plugin_host() {
  static FakePluginHost host;
  return host;
}

inline PluginFailure fake_failure(const std::string& who) {
  return {who, [] { return fake_plugin_host().why; }};
}

/// A table made by the SDK's own wrapper around a class of the test.
template <typename Table>
Plugin<Table> fake_plugin(int32_t (*create)(const attune_host*, const attune_value*, void**)) {
  const attune_value none = Arena::null();
  void* made = nullptr;
  create(&fake_plugin_host().table, &none, &made);
  return Plugin<Table>(static_cast<Table*>(made),
                       [](Table* table) { table->destroy(table->self); });
}

inline SampleBuilder sample_of(const std::string& id, const std::string& question,
                               const std::string& answer) {
  SampleBuilder sample;
  sample.id(id)
      .prompt_turns(1)
      .add({.messages = {{"user", question}, {"assistant", answer}}})
      .label("answer", answer);
  return sample;
}

/// Samples "1", "2", ... with a question and its answer.
class FakeSamples final : public SampleSource {
 public:
  explicit FakeSamples(std::vector<std::pair<std::string, std::string>> rows)
      : rows_(std::move(rows)) {}
  int64_t size() const override { return static_cast<int64_t>(rows_.size()); }
  SampleBuilder at(int64_t index) override {
    const auto& [question, answer] = rows_[static_cast<size_t>(index)];
    return sample_of(std::to_string(index + 1), question, answer);
  }
  std::string digest() const override { return "fake"; }
  std::string describe(int64_t index) const override {
    return "fake.jsonl row " + std::to_string(index + 1);
  }

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

/// Asks the question, and is content where the answer is the expected one. Its length is a second
/// metric.
class EqualAnswer {
 public:
  explicit EqualAnswer(Value) {}
  void request(const attune_sample& sample, const RequestSink& emit) const {
    emit(make_request(ATTUNE_REQUEST_GENERATE, sample.views[0].turns, sample.n_prompt));
  }
  Metrics score(const attune_sample& sample, const Answers& answers) const {
    const bool equal = view(answers.at(0)->text) == Value(sample.labels)["answer"].text();
    return {{"equal", equal ? 1.0 : 0.0}, {"length", double(answers[0]->text.size)}};
  }
};

class FakeServices final : public RunServices {
 public:
  std::vector<std::pair<std::string, std::string>> rows;

  Plugin<attune_object> object(std::string_view, std::string_view, const Json&) override {
    return {};
  }
  Json metadata(std::string_view, std::string_view) override { return Json::object(); }
  std::string model_for(const Json&) override { return ""; }
  std::string last_failure() override { return fake_plugin_host().why; }
  std::unique_ptr<Tokenizer> tokenizer(const std::string&) override { return nullptr; }
  std::unique_ptr<Checkpoint> checkpoint(const std::string&) override { return nullptr; }
  void write_tensors(const std::string&, std::span<const attune_tensor>, const Json&) override {}
  std::unique_ptr<SampleSource> samples(const Json&) override {
    return std::make_unique<FakeSamples>(rows);
  }
  std::vector<std::unique_ptr<SampleSource>> sources(const Json&, const std::string&) override { return {}; }
  void metrics(int64_t, const Json&) override {}
  void rewind_metrics(int64_t) override {}
  void progress(std::string_view, int64_t, int64_t) override {}
  void log(int, std::string_view) override {}
  Plugin<attune_generator> generator(const std::string&, const Json&) override {
    return Plugin<attune_generator>(served, [](attune_generator*) {});
  }
  attune_generator* served = nullptr;  ///< what a generator plugin would make
  Evaluator evaluator(const std::string&, const Json&) override {
    return {fake_plugin<attune_evaluator>(&create_evaluator<EqualAnswer>),
            fake_failure("evaluator \"equal\"")};
  }
  Json notes() const override { return Json::object(); }
  void check_cancelled() const override {}
};

/// Answers from a table, last request first, as an engine may that finishes short answers early.
class FakeModel final : public LanguageModel {
 public:
  using Table = std::map<std::string, std::string>;
  explicit FakeModel(Table answers) : answers_(std::move(answers)) {
    table_.size = ATTUNE_END(attune_generator, generate);
    table_.self = this;
    table_.generate = [](void* self, const attune_request* const* requests, size_t n,
                         const attune_answer_sink* sink) -> int32_t {
      auto& model = *static_cast<FakeModel*>(self);
      for (size_t i = n; i-- > 0;) {
        if (model.lost.contains(requests[i]->id)) continue;
        const std::string question = text_of(requests[i]->turns[0], "the fake model");
        const std::string& text = model.answers_[question];
        const int64_t ids[] = {1, 2};
        const double logprobs[] = {-0.5, -0.25};
        attune_answer answer{ATTUNE_END(attune_answer, n_ids),
                             ATTUNE_STOP_END,
                             requests[i]->id,
                             str(text),
                             ids,
                             logprobs,
                             2};
        if (const int32_t code = sink->emit(sink->context, &answer)) return code;
      }
      return ATTUNE_OK;
    };
  }
  FakeModel(const FakeModel&) = delete;
  FakeModel& operator=(const FakeModel&) = delete;
  std::set<uint64_t> lost;  ///< requests that get no answer

  const Tokenizer& tokenizer() const override { throw Error("the fake model has no tokenizer"); }
  attune_generator& generator() override { return table_; }
  std::vector<std::vector<double>> score(std::span<const std::vector<int64_t>>) override {
    return {};
  }

 private:
  Table answers_;
  attune_generator table_{};
};

/// Counts what it is asked to do. Training writes final/weights with the name of the run.
class FakeEngine final : public Engine {
 public:
  int trained = 0, opened = 0;
  std::string fail_in;  ///< training of the run with this name throws
  std::map<std::string, std::string> answers;

  Json train(const Json& run, const std::string& folder, HostServices&) override {
    const std::string name = run.at("run").at("name");
    if (name == fail_in) throw Error("training stopped for the test");
    ++trained;
    std::filesystem::create_directories(folder + "/final");
    write_atomically(folder + "/final/weights", name + run.at("train").dump());
    return {{"steps", 3},
            {"loss", 0.5},
            {"tokens_per_s", 1234.0},
            {"peak_memory_bytes", 1'500'000'000}};
  }
  Json references(const Json&, HostServices&) override { return Json::array(); }
  Json plan(const Json&, HostServices&, Calibrate) override { return Json::object(); }
  std::unique_ptr<LanguageModel> open(const ModelRequest&, HostServices&) override {
    ++opened;
    return std::make_unique<FakeModel>(answers);
  }
  void convert(const std::string&, const std::string&, const std::string&, HostServices&) override {
  }
  void threads(int) override {}
  TorchTrials& trials() override { throw Error("this engine tries no plugins"); }
};

/// A console that keeps what is said.
struct FakeConsole {
  std::istringstream in;
  std::ostringstream out, err;
  Console console{in, out, err};
};

}  // namespace attune::testing
