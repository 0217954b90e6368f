// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <vector>

#include "plugins/evaluators/asked.h"

namespace {

using namespace attune;
using namespace attune::testing;

SampleBuilder with_answer(const Json& answer) {
  Arena arena;
  SampleBuilder made;
  made.prompt_turns(1).add({.messages = {{"user", "6 * 7?"}}});
  if (!answer.is_null()) made.labels(to_value({{"answer", answer}}, arena));
  return made;
}

SampleBuilder with_turn(const std::string& answer) {
  SampleBuilder made;
  made.prompt_turns(1);
  made.add({.messages = {{"user", "6 * 7?"}, {"assistant", answer}}});
  return made;
}

TEST(ExactMatch, AsksThePromptWithoutTheAnswer) {
  EvaluatorUnderTest evaluator("exact_match", {{"max_tokens", 9}, {"stop", {"\n", "Q:"}}});
  SampleBuilder chat;
  chat.prompt_turns(1).add(
      {.messages = {{"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}}});

  EXPECT_EQ(evaluator.ask(with_turn("42")),
            Json({"generate 9 | user: 6 * 7? | stop \n | stop Q:"}));
  EXPECT_EQ(evaluator.ask(with_answer("42")),
            Json({"generate 9 | user: 6 * 7? | stop \n | stop Q:"}));
  EXPECT_EQ(evaluator.ask(chat),
            Json({"generate 9 | user: a | assistant: b | user: c | stop \n | stop Q:"}));
}

TEST(ExactMatch, NormalisesAsTheOptionsSay) {
  struct Row {
    const char *options, *reference, *answer;
    bool equal;
  };
  const std::vector<Row> rows = {
      {"{}", R"("42")", " 42\n", true},
      {"{}", R"("42")", "42.", false},
      {"{}", "42", "42", true},
      {"{}", "2.5", "2.5", true},
      {"{}", R"(["42", "forty-two"])", "forty-two", true},
      {"{}", R"(["42", "forty-two"])", "Forty-two", false},
      {R"({"lowercase": true})", R"("Forty-Two")", "fORTY-tWO", true},
      {R"({"strip_punctuation": true})", R"("U.S.")", "US!", true},
      {R"({"strip_articles": true})", R"("The moon")", "moon", true},
      {R"({"strip_articles": true})", R"("theatre")", "atre", false},
      {R"({"strip_articles": true})", R"("à la carte")", "a la carte", false},
      {R"({"collapse_whitespace": true})", R"("New York")", "New \n\t York", true},
      {"{}", R"("New York")", "New  York", false},
      {R"({"lowercase": true, "strip_punctuation": true, "strip_articles": true,
           "collapse_whitespace": true})",
       R"("The Cat, and a Dog.")", "cat and  dog", true},
      {R"({"numeric": true})", R"("1,000")", "1000.0", true},
      {R"({"numeric": true})", "18", "$18.", true},
      {R"({"numeric": true})", R"("-3")", "3", false},
      {R"({"numeric": true})", "3", "three", false},
      {R"({"numeric": true})", R"("inf")", "inf", true},
      {R"({"numeric": true})", R"("1e3")", "1000", true},
      {R"({"numeric": true})", R"("0x10")", "16", false},
      {R"x({"extract": "answer is (\\d+)"})x", R"("42")",
       "First the answer is 41, then the answer is 42", true},
      {R"x({"extract": "answer is (\\d+)"})x", R"("42")", "42", false},
      {R"x({"extract": "answer is (\\d+)"})x", R"("")", "no number", false},
      {R"x({"extract": "(-?[\\d,.]+)", "extract_reference": "#### (.+)", "numeric": true})x",
       R"("6 * 7 = 42\n#### 42")", "It makes 42", true},
  };
  for (const Row& row : rows) {
    EvaluatorUnderTest evaluator("exact_match", Json::parse(row.options));
    const Json expected = {{"exact_match", row.equal ? 1.0 : 0.0}};
    EXPECT_EQ(evaluator.score(with_answer(Json::parse(row.reference)), {row.answer}), expected)
        << row.options << " " << row.reference << " " << row.answer;
  }
}

TEST(ExactMatch, FallsBackToTheLastAssistantTurn) {
  EvaluatorUnderTest evaluator("exact_match");

  EXPECT_EQ(evaluator.score(with_turn("42"), {"42"}), Json({{"exact_match", 1.0}}));
  EXPECT_EQ(evaluator.score(with_turn("42"), {"41"}), Json({{"exact_match", 0.0}}));
}

TEST(ExactMatch, ReadsAnswersOfAnyLength) {
  EvaluatorUnderTest evaluator("exact_match", {{"extract", "^((?:x|y)+)$"}});

  EXPECT_EQ(evaluator.score(with_answer(std::string(20000, 'x')), {std::string(20000, 'x')}),
            Json({{"exact_match", 1.0}}));
}

TEST(ExactMatch, RefusesWhatCannotBeCompared) {
  EvaluatorUnderTest evaluator("exact_match");
  EvaluatorUnderTest strict("exact_match", {{"extract_reference", "#### (.+)"}});

  EXPECT_EQ(refusal([&] { evaluator.ask(with_answer(nullptr)); }),
            "nothing to compare with: expected a label `answer` or an assistant turn; with the "
            "dataset `columns` write labels = { answer = \"column\" }");
  EXPECT_EQ(refusal([&] { evaluator.ask(with_answer(true)); }),
            "`labels.answer`: expected a string, found a bool");
  EXPECT_EQ(refusal([&] { strict.ask(with_answer("42")); }),
            "`extract_reference` finds no result in the reference \"42\"");
  EXPECT_EQ(refusal([&] { evaluator.score(with_answer("42"), Json::array()); }),
            "expected 1 answer, found 0");
}

TEST(ExactMatch, RefusesAnExpressionThatIsNone) {
  const auto made = [](const char* extract) {
    return refusal([&] { EvaluatorUnderTest("exact_match", {{"extract", extract}}); });
  };

  EXPECT_TRUE(
      made("(a").starts_with("`extract` = \"(a\": expected an ECMAScript regular expression; "));
  EXPECT_EQ(made("a"),
            "`extract` = \"a\": expected one group (...) around the result, found 0; write (?:...) "
            "for a group that only groups");
  EXPECT_EQ(made("(a)(b)"),
            "`extract` = \"(a)(b)\": expected one group (...) around the result, found 2; write "
            "(?:...) for a group that only groups");
}

TEST(ExactMatch, RefusesASampleWithoutAQuestionAndAnExpressionWithoutEnd) {
  EvaluatorUnderTest evaluator("exact_match", {});
  SampleBuilder answer;
  answer.add({.messages = {{"assistant", "4"}}});

  EXPECT_EQ(refusal([&] { evaluator.ask(answer); }), "the sample has no prompt: nothing to ask");
  EXPECT_EQ(refusal([] { EvaluatorUnderTest("exact_match", {{"extract", std::string(5000, 'x')}}); }),
            "`extract`: expected at most 4096 bytes, found 5000");
}

}  // namespace
