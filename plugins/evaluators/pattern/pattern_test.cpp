// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "plugins/evaluators/asked.h"

namespace {

using namespace attune;
using namespace attune::testing;

SampleBuilder pair() {
  SampleBuilder made;
  made.prompt_turns(1);
  made.add({.messages = {{"user", "Why?"}, {"assistant", "So."}}});
  made.add({.messages = {{"user", "Why?"}, {"assistant", "No."}}});
  return made;
}

TEST(Pattern, AsksThePromptOfAnySample) {
  EvaluatorUnderTest evaluator("pattern",
                               {{"pattern", ".*"}, {"max_tokens", 9}, {"stop", {"\n\n"}}});

  EXPECT_EQ(evaluator.ask(pair()), Json({"generate 9 | user: Why? | stop \n\n"}));
}

TEST(Pattern, HoldsTheWholeAnswerToTheRule) {
  struct Row {
    const char *options, *answer;
    bool match;
  };
  const std::vector<Row> rows = {
      {R"({"pattern": "In short: .+\\.\\nWhy: .+\\."})", "In short: Yes.\nWhy: It is.", true},
      {R"({"pattern": "In short: .+\\.\\nWhy: .+\\."})", "\n In short: Yes.\nWhy: It is. \n", true},
      {R"({"pattern": "In short: .+\\.\\nWhy: .+\\."})", "In short: Yes. Why: It is.", false},
      {R"({"pattern": "In short: .+\\.\\nWhy: .+\\."})", "In short: Yes.\nWhy: It is.\nMore.",
       false},
      {R"({"pattern": "In short: .+\\.\\nWhy: .+\\."})", "Well. In short: Yes.\nWhy: It is.",
       false},
      {R"({"pattern": "[^]*", "forbid": ["[Ss]orry", "cannot"]})", "I am sorry.", false},
      {R"({"pattern": "[^]*", "forbid": ["[Ss]orry", "cannot"]})", "You can.\nYes.", true},
      {R"({"pattern": "[^]*", "max_words": 3})", "one two\nthree", true},
      {R"({"pattern": "[^]*", "max_words": 3})", "one two three four", false},
      {R"({"pattern": "[^]*"})", "", true},
      {R"({"pattern": ".+"})", " \n", false},
  };
  for (const Row& row : rows) {
    EvaluatorUnderTest evaluator("pattern", Json::parse(row.options));
    const Json expected = {{"match", row.match ? 1.0 : 0.0}};
    EXPECT_EQ(evaluator.score(pair(), {row.answer}), expected) << row.options << row.answer;
  }
}

TEST(Pattern, ReadsAnswersOfAnyLength) {
  EvaluatorUnderTest evaluator("pattern", {{"pattern", "(?:x|y)+"}});

  EXPECT_EQ(evaluator.score(pair(), {std::string(200000, 'x')}), Json({{"match", 1.0}}));
}

TEST(Pattern, RefusesAnExpressionThatIsNoneAndASampleWithoutPrompt) {
  const auto made = [](const Json& options) {
    return refusal([&] { EvaluatorUnderTest("pattern", options); });
  };
  EvaluatorUnderTest evaluator("pattern", {{"pattern", ".*"}});
  SampleBuilder answer;
  answer.add({.messages = {{"assistant", "So."}}});

  EXPECT_TRUE(made({{"pattern", "[a"}})
                  .starts_with("`pattern` = \"[a\": expected an ECMAScript regular expression; "));
  EXPECT_TRUE(made({{"pattern", "a"}, {"forbid", {"b", "*"}}})
                  .starts_with("`forbid[1]` = \"*\": expected an ECMAScript regular expression; "));
  EXPECT_EQ(refusal([&] { evaluator.ask(answer); }), "the sample has no prompt: nothing to ask");
}

}  // namespace
