// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/evaluate.h"

#include <gtest/gtest.h>

#include "host/fakes.h"
#include "host/scratch_folder.h"
#include "kernel/host/run/generate.h"

namespace attune::testing {
namespace {

const Json kEntry = {
    {"use", "equal"}, {"name", "mine"}, {"data", Json::object()}, {"options", Json::object()}};

FakeServices four_rows() {
  FakeServices host;
  host.rows = {{"a", "A"}, {"b", "B"}, {"c", "C"}, {"d", "D"}};
  return host;
}

TEST(Evaluate, MeansAreOverSamplesWhateverTheOrderOfAnswers) {
  FakeServices host = four_rows();
  FakeModel model(FakeModel::Table{{"a", "A"}, {"b", "B"}, {"c", "C"}, {"d", "wrong"}});
  std::string rows;

  const Json result = evaluate_one(kEntry, 7, model.generator(), host, rows);

  EXPECT_EQ(result["rows"], 4);
  EXPECT_DOUBLE_EQ(result["metrics"]["equal"]["value"], 0.75);
  EXPECT_EQ(result["metrics"]["equal"]["n"], 4);
  EXPECT_TRUE(result["metrics"]["equal"]["share"]);
  EXPECT_DOUBLE_EQ(result["metrics"]["length"]["value"], 2.0);  // (1 + 1 + 1 + 5) / 4
}

TEST(Evaluate, EverySampleLeavesARow) {
  FakeServices host = four_rows();
  FakeModel model(FakeModel::Table{{"a", "A"}});
  std::string rows;

  evaluate_one(kEntry, 7, model.generator(), host, rows);

  std::istringstream lines(rows);
  std::string first;
  std::getline(lines, first);
  EXPECT_EQ(first,
            "{\"evaluator\":\"mine\",\"id\":\"1\",\"metrics\":{\"equal\":1.0,\"length\":1.0},"
            "\"answers\":[{\"text\":\"A\",\"stop\":\"end\",\"tokens\":2,\"logprob\":-0.75}]}");
  EXPECT_EQ(std::count(rows.begin(), rows.end(), '\n'), 4);
}

TEST(Evaluate, AMissingAnswerIsAnError) {
  FakeServices host = four_rows();
  FakeModel model(FakeModel::Table{});
  model.lost = {2};
  std::string rows;

  try {
    evaluate_one(kEntry, 7, model.generator(), host, rows);
    FAIL() << "expected an error";
  } catch (const ExitError& error) {
    EXPECT_NE(std::string(error.what()).find("no answer to request 2 of 4"), std::string::npos)
        << error.what();
  }
}

TEST(Evaluate, ResultsAndRowsAreWrittenAsFiles) {
  const ScratchFolder folder;
  FakeServices host = four_rows();
  FakeEngine engine;
  engine.answers = {{"a", "A"}};
  const Json run = {
      {"run", {{"seed", 1}}}, {"model", {{"path", "m"}}}, {"evaluate", Json::array({kEntry})}};

  const Json results = evaluate(run, folder.str(), [&]() -> Engine& { return engine; }, host);

  EXPECT_EQ(Json::parse(read(folder / "results.json")), results);
  EXPECT_DOUBLE_EQ(results["evaluate"]["mine"]["metrics"]["equal"]["value"], 0.25);
  EXPECT_TRUE(std::filesystem::exists(folder / "samples.jsonl"));
}

TEST(Evaluate, AGeneratorAnswersWithoutTheEngine) {
  const ScratchFolder folder;
  FakeServices host = four_rows();
  FakeModel served(FakeModel::Table{{"a", "A"}});
  host.served = &served.generator();
  const Json run = {{"run", {{"seed", 1}}},
                    {"generator", {{"use", "server"}}},
                    {"evaluate", Json::array({kEntry})}};

  const Json results = evaluate(
      run, folder.str(), []() -> Engine& { throw Error("the engine was opened"); }, host);

  EXPECT_EQ(results["model"], "server");
  EXPECT_DOUBLE_EQ(results["evaluate"]["mine"]["metrics"]["equal"]["value"], 0.25);
}

TEST(Generate, AnswersKeepTheOrderOfThePrompts) {
  const ScratchFolder folder;
  FakeServices host = four_rows();
  FakeEngine engine;
  engine.answers = {{"a", "one"}, {"b", "two"}};
  const Json run = {{"run", Json::object()},
                    {"model", {{"path", "m"}}},
                    {"generate", {{"data", Json::object()}}}};

  const Json results = generate(run, folder.str(), [&]() -> Engine& { return engine; }, host);

  std::istringstream lines(read(folder / "answers.jsonl"));
  std::string first, second;
  std::getline(lines, first), std::getline(lines, second);
  EXPECT_EQ(first,
            "{\"id\":\"1\",\"prompt\":\"a\",\"text\":\"one\",\"ids\":[1,2],\"logprobs\":[-0.5,-0."
            "25],\"stop\":\"end\"}");
  EXPECT_EQ(Json::parse(second)["text"], "two");
  EXPECT_EQ(results, (Json{{"rows", 4}, {"tokens", 8}}));
}

TEST(Generate, ThePromptEndsBeforeTheLastAssistantTurn) {
  SampleBuilder sample;
  sample.add({.messages = {{"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}}});

  EXPECT_EQ(prompt_of(sample.c()).size(), 3u);
  sample.prompt_turns(1);
  EXPECT_EQ(prompt_of(sample.c()).size(), 1u);
}

TEST(Requests, ACopyOutlivesItsSource) {
  RequestList requests(9);
  {
    const SampleBuilder sample = sample_of("1", std::string(100, 'q'), "a");
    const std::string stop(50, 's');
    const attune_str stops[] = {str(stop)};
    attune_request request = make_request(ATTUNE_REQUEST_GENERATE, sample.c().views[0].turns, 1);
    request.stops = stops;
    request.n_stops = 1;
    request.temperature = 0.5;
    requests.add(request);
  }

  const attune_request& kept = *requests.pointers().at(0);

  EXPECT_EQ(text_of(kept.turns[0], "test"), std::string(100, 'q'));
  EXPECT_EQ(string(kept.stops[0]), std::string(50, 's'));
  EXPECT_EQ(kept.seed, 9u);
  EXPECT_DOUBLE_EQ(kept.temperature, 0.5);
}

}  // namespace
}  // namespace attune::testing
