// SPDX-License-Identifier: Apache-2.0
// The validator finds every fault that is planted in tests/plugins/faults, by the test that is there for it.
#include "kernel/host/validate/validate.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "kernel/host/plugins/loader.h"
#include "plugins/scratch.h"

namespace attune::validate {
namespace {

using namespace attune::testing;

/// A source, its fault, the test that must find it, and words of the finding.
struct Planted {
  const char* source;
  int fault;
  const char* test;
  const char* words;
};

const Planted kPlanted[] = {
    {"dataset", 1, "opening", "id is \"org.attune.another\""},
    {"dataset", 2, "opening", "in the code and not in plugin.toml"},
    {"dataset", 3, "opening", "the entry lacks members"},
    {"dataset", 4, "opening", "another entry each time"},
    {"dataset", 5, "init-deinit", "init came twice"},
    {"dataset", 6, "opening", "at most 1 s is expected"},
    {"dataset", 7, "opening", "loading ended the process by signal 11"},
    {"dataset", 8, "rules", "P-01"},
    {"dataset", 9, "init-deinit", "deinit ended the process by signal 11"},
    {"dataset", 10, "options-default", "create with options"},
    {"dataset", 11, "options-default", "made nothing"},
    {"dataset", 12, "options-default", "lacks `map`"},
    {"dataset", 13, "create-destroy", "destroy leaves memory behind"},
    {"dataset", 14, "options-bounds", "`level` = 9 ended the process by signal 11"},
    {"dataset", 15, "options-types", "ended the process by signal 11"},
    {"dataset", 16, "rules", "help"},
    {"dataset", 18, "borrowed-memory", "once the options' memory"},
    {"dataset", 19, "determinism", "given again to the same instance"},
    {"dataset", 20, "instances", "beside instances of other options"},
    {"dataset", 21, "history", "behind others"},
    {"dataset", 22, "borrowed-memory", "earlier inputs were gone"},
    {"dataset", 23, "failures", "without host->fail"},
    {"dataset", 24, "failures", "99, which is no attune_code"},
    {"dataset", 25, "failures", "told of code 4 and returned 1"},
    {"dataset", 26, "failures", "with an empty message"},
    {"dataset", 27, "failures", "and returned 0"},
    {"dataset", 28, "sinks", "the sink was given 1 more"},
    {"dataset", 29, "sinks", "returned 0 where its sink had refused with 1017"},
    {"dataset", 30, "empty-input", "map ended the process by signal 11"},
    {"dataset", 31, "empty-input", "map did not end within 2 s"},
    {"dataset", 32, "huge-input", "map ended the process by signal 11"},
    {"dataset", 34, "threads", "4 instances in 4 threads"},
    {"dataset", 35, "any-worker", "another thread than the one that created"},
    {"dataset", 36, "growth", "the heap grew by"},
    {"dataset", 37, "growth", "the heap grew by"},
    {"dataset", 38, "output", "bytes of output"},
    {"dataset", 39, "output", "bytes of output"},
    {"dataset", 40, "files", "cwd/left"},
    {"dataset", 41, "files", "home/.left"},
    {"dataset", 42, "locale", "C.UTF-8"},
    {"dataset", 43, "floating-point", "control bits"},
    {"dataset", 44, "floating-point", "rounding mode"},
    {"dataset", 45, "signals", "signal 10 handled by"},
    {"dataset", 46, "signals", "signal 12 blocked"},
    {"dataset", 47, "working-directory", "found /, before it was"},
    {"dataset", 48, "environment", "LEFT_BY_A_PLUGIN=1"},
    {"dataset", 49, "umask", "found 0"},
    {"dataset", 50, "threads-left", "found 2, before there were 1"},
    {"dataset", 51, "open-files", "/dev/null"},
    {"dataset", 52, "no-services", "create ended the process by signal 11"},
    {"dataset", 53, "newer-host", "another host"},
    {"dataset", 54, "samples", "the prompt is longer than a conversation"},
    {"dataset", 55, "samples", "expected UTF-8"},
    {"dataset", 56, "samples", "found no supervised"},
    {"dataset", 57, "empty-input", "exit code 0"},
    {"dataset", 58, "samples", "the kind of a part: expected 1 to 4, found 77"},
    {"dataset", 59, "create-destroy", "ended the process by signal 6"},
    {"evaluator", 1, "requests", "expected max_tokens of 1 or more"},
    {"evaluator", 2, "requests", "expected requests to [\"generate\"]"},
    {"evaluator", 3, "requests", "expected top_p"},
    {"evaluator", 4, "empty-input", "score ended the process by signal 11"},
    {"evaluator", 5, "empty-input", "score ended the process by signal 11"},
    {"evaluator", 6, "metrics", "expected a finite number"},
    {"evaluator", 7, "metrics", "expected the metrics of other samples"},
    {"evaluator", 8, "metrics", "expected a type from 0 to 7, found 55"},
    {"reader", 1, "range", "counted 4, read 3"},
    {"reader", 2, "range", "count: expected 0 or more"},
    {"reader", 3, "random-access", "alone"},
    {"reader", 4, "empty-input", "read ended the process by signal 11"},
    {"reader", 5, "random-access", "in pieces of 2"},
    {"reader", 6, "damaged-file", "expected the message to name the file"},
    {"tokenizer", 1, "vocabulary", "expected ids below 100"},
    {"tokenizer", 2, "vocabulary", "expected -1, found 0"},
    {"tokenizer", 3, "offsets", "does not lie in the text"},
    {"tokenizer", 4, "round-trip", "decode gives nothing of"},
    {"tokenizer", 5, "streaming", "token by token"},
    {"tokenizer", 6, "spans", "expected \"Yes?\""},
    {"tracker", 1, "steps", "a step came again"},
    {"tracker", 2, "folder", "nothing was written"},
    {"tracker", 3, "folder", "expected an error, found success"},
    {"weights", 1, "list", "what is read against what is listed"},
    {"weights", 2, "not-found", "expected ATTUNE_E_NOT_FOUND"},
    {"weights", 3, "not-found", "expected ATTUNE_E_NOT_FOUND"},
    {"weights", 4, "write-read", "tensor \"model.embed.weight\""},
    {"generator", 1, "answers", "expected the id of a request"},
    {"generator", 2, "answers", "was answered twice"},
    {"generator", 3, "answers", "expected a stop from 1 to 3"},
    {"generator", 4, "answers", "log-probabilities of at most 0"},
    {"generator", 5, "answers", "asked 3, answered 1"},
};

const std::map<std::string, const char*> kCases = {
    {"dataset", R"([{"options": {}, "row": {"q": "one", "a": "1"}}, {"options": {"prefix": "Say "}, "row": {"q": "two", "a": "2"}},
                    {"options": {}, "row": {"q": "three", "a": "3"}}])"},
    {"evaluator", R"([{"options": {}, "sample": {"views": [["user: 2+2?"]], "n_prompt": 1, "labels": {"answer": "4"}}, "answers": ["4"]},
                      {"options": {}, "sample": {"views": [["user: 5+5?"]], "n_prompt": 1, "labels": {"answer": "10"}}, "answers": ["4"]}])"},
    {"reader", R"([{"options": {}, "text": "one\ntwo\nthree\n", "records": [{"line": "one"}, {"line": "two"}, {"line": "three"}]}])"}};

class Validator : public ::testing::Test {
 protected:
  std::vector<Verdict> of(const std::string& source, int fault, std::vector<std::string> tests = {}) const {
    Request request;
    request.file = std::string(ATTUNE_FAULTS) + "/" + source + "_" + std::to_string(fault) + ".attune.so";
    request.tests = std::move(tests);
    request.seconds = 2;
    if (const auto found = kCases.find(source); found != kCases.end()) {
      request.cases = scratch.path("cases.json");
      spill(request.cases, found->second);
    }
    return validate(request);
  }
  const Scratch scratch;
};

TEST_F(Validator, FindsEveryPlantedFaultByTheTestForIt) {
  EXPECT_GE(std::size(kPlanted), 40u);
  for (const Planted& planted : kPlanted) {
    SCOPED_TRACE(std::string(planted.source) + " " + std::to_string(planted.fault));
    const auto verdicts = of(planted.source, planted.fault, {planted.test});
    const auto found = std::find_if(verdicts.begin(), verdicts.end(), [&](const Verdict& one) { return one.test == planted.test; });

    if (found == verdicts.end()) {
      ADD_FAILURE() << "no test \"" << planted.test << "\"";
      continue;
    }
    EXPECT_EQ(found->state, State::kFail) << found->why;
    EXPECT_HAS(found->why, planted.words);
  }
}

TEST_F(Validator, FindsNothingWhereNothingIsPlanted) {
  for (const char* source : {"dataset", "evaluator", "reader", "tokenizer", "tracker", "weights", "generator"}) {
    const auto verdicts = of(source, 0);

    EXPECT_GE(verdicts.size(), 20u) << source;
    for (const Verdict& one : verdicts) EXPECT_NE(one.state, State::kFail) << source << ": " << one.test << ": " << one.why;
  }
}

TEST_F(Validator, ExplainsEveryTestInTextAndJson) {
  const auto verdicts = of("dataset", 23);

  const std::string shown = text(verdicts);
  const Json told = json(verdicts);

  EXPECT_HAS(shown, "\ndataset/1 \"dataset_23\"\n");
  EXPECT_HAS(shown, "  fail  failures            Whatever fails says why");
  EXPECT_HAS(shown, "passed, ");
  EXPECT_EQ(told["valid"], false);
  EXPECT_EQ(told["tests"].size(), verdicts.size());
  for (const Json& one : told["tests"]) {
    EXPECT_FALSE(one["about"].get<std::string>().empty());
    EXPECT_EQ(one["verdict"] != "pass", one.contains("why")) << one;
  }
}

TEST_F(Validator, SaysWhatItNeedsForTheTestsThatItSkips) {
  Request request;
  request.file = std::string(ATTUNE_FAULTS) + "/reader_0.attune.so";

  const auto verdicts = validate(request);

  const auto skipped = std::count_if(verdicts.begin(), verdicts.end(), [](const Verdict& one) { return one.state == State::kSkip; });
  EXPECT_GE(skipped, 5);
  for (const Verdict& one : verdicts) {
    EXPECT_NE(one.state, State::kFail) << one.test << ": " << one.why;
    EXPECT_EQ(one.state == State::kSkip, one.why.find("--cases") != std::string::npos) << one.why;
  }
}

TEST_F(Validator, LearnsFromADatasetWhichRowsItTakes) {
  Request request;
  request.file = std::string(ATTUNE_PLUGIN_DIR) + "/alpaca.attune.so";
  request.tests = {"samples"};

  EXPECT_TRUE(passed(validate(request)));
}

TEST_F(Validator, NamesTheTestThatWasMeant) {
  EXPECT_HAS(message_of([&] { of("dataset", 0, {"determinsm"}); }), "did you mean \"determinism\"?");
}

TEST_F(Validator, FindsFaultsOfModelsAndAlgorithms) {
  const std::pair<const char*, const char*> rows[] = {
      {"mean", "splits"},      {"first", "splits"},       {"empty", "empty-answers"}, {"overflow", "extremes"}, {"formula", "formula"},
      {"metric", "metrics"},   {"gradient", "gradients"}, {"effect", "pure-loss"},    {"forgets", "state"},     {"neighbour", "neighbours"},
      {"future", "causality"}, {"cache", "cache"},        {"twice", "names"},         {"width", "shape"},       {"still", "gradients"},
      {"noise", "noise"},      {"units", "encoding"},     {"recompute", "recompute"}};
  Request request;
  request.file = std::string(ATTUNE_FAULTS) + "/torch.attune.so";
  request.config = std::string(ATTUNE_SOURCE_DIR) + "/plugins/models/llama/tiny.json";
  request.engine = [] { return load_engine({std::string(ATTUNE_PLUGIN_DIR) + "/../libattune-engine.so"}); };
  for (const auto& [name, test] : rows) {
    if (std::find(request.tests.begin(), request.tests.end(), test) == request.tests.end()) request.tests.push_back(test);
  }

  const auto verdicts = validate(request);

  const auto state = [&](const std::string& name, const std::string& test) {
    for (const Verdict& one : verdicts) {
      if (one.name == name && one.test == test) return one.state;
    }
    return State::kSkip;
  };
  for (const auto& [name, test] : rows) EXPECT_EQ(state(name, test), State::kFail) << name << ": " << test;
  for (const Verdict& one : verdicts) {
    const bool sound = one.name == "none" || one.name == "sound";
    EXPECT_FALSE(sound && one.state == State::kFail) << one.name << ": " << one.test << ": " << one.why;
  }
}

}  // namespace
}  // namespace attune::validate
