// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>

#include "plugins/evaluators/asked.h"

namespace {

using namespace attune;
using namespace attune::testing;

const Json kByLikelihood = {{"by", "likelihood"}}, kByReward = {{"by", "reward"}};

SampleBuilder pair() {
  SampleBuilder made;
  made.prompt_turns(1);
  made.add({.messages = {{"user", "Why?"}, {"assistant", "So."}}});
  made.add({.messages = {{"user", "Why?"}, {"assistant", "No."}}});
  return made;
}

TEST(PreferenceAccuracy, AsksForTheLikelihoodOfBothAnswers) {
  EvaluatorUnderTest evaluator("preference_accuracy", kByLikelihood);

  EXPECT_EQ(evaluator.ask(pair()), Json({"likelihood 1 | user: Why? | assistant: So.",
                                         "likelihood 1 | user: Why? | assistant: No."}));
}

TEST(PreferenceAccuracy, ComparesSumsAndMeans) {
  struct Row {
    const char *answers, *metrics;
  };
  const std::vector<Row> rows = {
      // Sums -3 and -4, means -1.5 and -4.
      {"[[-1, -2], [-4]]",
       R"({"accuracy_sum": 1.0, "accuracy_mean": 1.0, "margin_sum": 1.0, "margin_mean": 2.5})"},
      // Sums -4 and -3, means -1 and -3: a longer answer that is likelier per token.
      {"[[-1, -1, -1, -1], [-3]]",
       R"({"accuracy_sum": 0.0, "accuracy_mean": 1.0, "margin_sum": -1.0, "margin_mean": 2.0})"},
      {"[[-1, -1], [-1, -1]]",
       R"({"accuracy_sum": 0.5, "accuracy_mean": 0.5, "margin_sum": 0.0, "margin_mean": 0.0})"},
      {"[[-2], [-1, -1]]",
       R"({"accuracy_sum": 0.5, "accuracy_mean": 0.0, "margin_sum": 0.0, "margin_mean": -1.0})"},
  };
  EvaluatorUnderTest evaluator("preference_accuracy", kByLikelihood);
  for (const Row& row : rows) {
    EXPECT_EQ(evaluator.score(pair(), Json::parse(row.answers)), Json::parse(row.metrics))
        << row.answers;
  }
}

TEST(PreferenceAccuracy, ComparesRewards) {
  EvaluatorUnderTest evaluator("preference_accuracy", kByReward);

  EXPECT_EQ(evaluator.ask(pair()), Json({"values 1 | user: Why? | assistant: So.", "values 1 | user: Why? | assistant: No."}));
  EXPECT_EQ(evaluator.score(pair(), {2.0, -1.5}), Json::parse(R"({"accuracy": 1.0, "margin": 3.5})"));
  EXPECT_EQ(evaluator.score(pair(), {1.0, 2.0}), Json::parse(R"({"accuracy": 0.0, "margin": -1.0})"));
  EXPECT_EQ(evaluator.score(pair(), {1.0, 1.0}), Json::parse(R"({"accuracy": 0.5, "margin": 0.0})"));
  EXPECT_EQ(refusal([&] { evaluator.score(pair(), Json::parse("[[-1], [-1]]")); }),
            "expected one reward for an answer, found 0 places of 0 values; use a model with one score for the whole answer");
}

TEST(PreferenceAccuracy, RefusesWhatCannotBeCompared) {
  EvaluatorUnderTest evaluator("preference_accuracy", kByLikelihood);
  SampleBuilder single;
  single.prompt_turns(1).add({.messages = {{"user", "Why?"}, {"assistant", "So."}}});
  const double nan = std::numeric_limits<double>::quiet_NaN();

  EXPECT_EQ(refusal([&] { evaluator.ask(single); }),
            "expected a pair of answers, found a sample of 1 view; use data with a chosen and a "
            "rejected answer");
  EXPECT_EQ(refusal([&] { evaluator.score(pair(), Json::parse("[[-1], []]")); }),
            "the rejected answer has no scored token: nothing to compare");
  EXPECT_EQ(refusal([&] {
              evaluator.score(pair(), Json::array({Json::array({nan}), {-1.0}}));
            }),
            "the log-probability of the chosen answer is nan, expected a finite number: the "
            "model's weights are broken");
  EXPECT_EQ(refusal([&] { evaluator.score(pair(), Json::parse("[[-1]]")); }),
            "expected 2 answers, found 1");
}

}  // namespace
