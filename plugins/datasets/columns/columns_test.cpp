// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "plugins/datasets/mapped.h"

namespace {

using namespace attune;
using namespace attune::testing;

struct Good {
  const char *columns, *row, *sample;
};

TEST(Columns, MapsEachShapeOfRow) {
  const std::vector<Good> rows = {
      {R"({"prompt": "q"})", R"({"q": "Why?"})", R"({"views": [["user: Why?"]], "n_prompt": 1})"},
      {R"({"prompt": "q", "answer": "a"})", R"({"q": "Why?", "a": "So."})",
       R"({"views": [["user: Why?", "assistant: So."]], "n_prompt": 1})"},
      {R"({"prompt": "q", "chosen": "w", "rejected": "l", "system": "s", "id": "n"})",
       R"({"q": "Why?", "w": "So.", "l": "No.", "s": "Be kind.", "n": 7})",
       R"({"views": [["system: Be kind.", "user: Why?", "assistant: So."],
                     ["system: Be kind.", "user: Why?", "assistant: No."]], "n_prompt": 2, "id": "7"})"},
      {R"({"prompt": "q", "answer": "data.list.1.text", "id": "k"})",
       R"({"q": "Why?", "k": "x-1", "data": {"list": [{"text": "a"}, {"text": "b"}]}})",
       R"({"views": [["user: Why?", "assistant: b"]], "n_prompt": 1, "id": "x-1"})"},
      {R"({"prompt": "a.b", "answer": "a"})", R"({"a.b": "dots in a key", "a": "short"})",
       R"({"views": [["user: dots in a key", "assistant: short"]], "n_prompt": 1})"},
      {R"({"prompt": "q", "answer": "a", "system": "s", "feedback": "f"})",
       R"({"q": "Why?", "a": "So.", "s": null, "f": "Say more."})",
       R"({"views": [["user: Why?", "assistant: So.", "feedback: Say more."]], "n_prompt": 1})"},
      {R"({"prompt": "q", "chosen": "w", "rejected": "l", "rating_chosen": "rw",
           "rating_rejected": "rl", "feedback_rejected": "f"})",
       R"({"q": "Why?", "w": "So.", "l": "No.", "rw": 4.5, "rl": null, "f": "Rude."})",
       R"({"views": [["user: Why?", "assistant: So.", 4.5],
                     ["user: Why?", "assistant: No.", "feedback: Rude."]], "n_prompt": 1})"},
      {R"({"prompt": "q", "labels": {"answer": "gold", "level": "meta.level"}})",
       R"({"q": "6 * 7?", "gold": ["42", "forty-two"], "meta": {"level": 3}})",
       R"({"views": [["user: 6 * 7?"]], "n_prompt": 1,
           "labels": {"answer": ["42", "forty-two"], "level": 3}})"},
      {R"({"prompt": "m", "answer": "a"})",
       R"({"m": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"},
                 {"role": "user", "content": "Why?"}], "a": "So."})",
       R"({"views": [["user: Hi", "assistant: Hello", "user: Why?", "assistant: So."]],
           "n_prompt": 3})"},
  };
  for (const Good& row : rows) {
    EXPECT_EQ(map_row("columns", {{"columns", Json::parse(row.columns)}}, Json::parse(row.row)),
              Json::parse(row.sample))
        << row.columns;
  }
}

struct Bad {
  const char *columns, *row, *message;
};

TEST(Columns, NamesTheColumnThatDoesNotFit) {
  const std::vector<Bad> rows = {
      {R"({"prompt": "q"})", R"({"question": "Why?", "n": 1})",
       "no `q` in the record: expected by columns.prompt = \"q\"; there is `question`, `n`"},
      {R"({"prompt": "q"})", R"({})",
       "no `q` in the record: expected by columns.prompt = \"q\"; there is nothing"},
      {R"({"prompt": "q", "answer": "d.a.text"})", R"({"q": "Why?", "d": {"a": {"value": ""}}})",
       "no `text` in `d.a`: expected by columns.answer = \"d.a.text\"; there is `value`"},
      {R"({"prompt": "q", "answer": "l.2"})", R"({"q": "Why?", "l": ["a", "b"]})",
       "no `2` in `l`: expected by columns.answer = \"l.2\"; there is 2 items"},
      {R"({"prompt": "q.x"})", R"({"q": "Why?"})",
       "no `x` in `q`: expected by columns.prompt = \"q.x\"; there is a string"},
      {R"({"prompt": "q", "labels": {"answer": "gold"}})", R"({"q": "Why?"})",
       "no `gold` in the record: expected by columns.labels.answer = \"gold\"; there is `q`"},
      {R"({"prompt": "q"})", R"({"q": 3})",
       "`q`: expected a string or a list of messages, found an integer"},
      {R"({"prompt": "q"})", R"({"q": ""})", "`q`: expected some text, found an empty string"},
      {R"({"prompt": "q"})", R"({"q": []})", "`q`: expected messages, found an empty list"},
      {R"({"prompt": "q"})", R"({"q": [{"role": "narrator", "content": ""}]})",
       "`q[0].role`: unknown role `narrator`; known: system, user, assistant, tool"},
      {R"({"prompt": "q"})", R"({"q": [{"role": "user"}]})",
       "`q[0].content`: expected a string, found nothing"},
      {R"({"prompt": "q"})", R"({"q": [{"role": "assistant", "content": "Hello"}]})",
       "`q`: the last message of a prompt is the assistant's; use the dataset `conversations` for "
       "whole conversations"},
      {R"({"prompt": "q", "system": "s"})",
       R"({"s": "Be kind.", "q": [{"role": "system", "content": "x"}, {"role": "user", "content": "y"}]})",
       "`s`: the prompt has a system message of its own"},
      {R"({"prompt": "q", "answer": "a"})", R"({"q": "Why?", "a": null})",
       "`a`: expected a string, found nothing"},
      {R"({"prompt": "q", "answer": "a", "feedback": "f"})", R"({"q": "Why?", "a": "So.", "f": 1})",
       "`f`: expected a string, found an integer"},
      {R"({"prompt": "q", "chosen": "w", "rejected": "l"})",
       R"({"q": "Why?", "w": "So.", "l": "So."})",
       "`w` and `l` are the same text: nothing to prefer"},
  };
  for (const Bad& row : rows) {
    EXPECT_EQ(refusal("columns", {{"columns", Json::parse(row.columns)}}, Json::parse(row.row)),
              row.message);
  }
}

TEST(Columns, RefusesTablesThatSayTooLittleOrTooMuch) {
  const std::vector<std::pair<const char*, const char*>> tables = {
      {R"({"prompt": "q", "chosn": "w"})",
       "`columns.chosn` is unknown; did you mean `chosen`? Known: prompt, answer, chosen, "
       "rejected, "
       "system, id, rating_chosen, rating_rejected, feedback_chosen, feedback_rejected, feedback, "
       "labels"},
      {R"({"prompt": "q", "spectrogram": "w"})",
       "`columns.spectrogram` is unknown. Known: prompt, answer, chosen, rejected, system, id, "
       "rating_chosen, rating_rejected, feedback_chosen, feedback_rejected, feedback, labels"},
      {R"({"answer": "a"})", "`columns.prompt` is missing: name the column that is asked"},
      {R"({"prompt": "q", "chosen": "w"})", "`columns.chosen` needs `columns.rejected` beside it"},
      {R"({"prompt": "q", "rejected": "l"})",
       "`columns.rejected` needs `columns.chosen` beside it"},
      {R"({"prompt": "q", "feedback": "f"})",
       "`columns.feedback` needs `columns.answer` beside it"},
      {R"({"prompt": "q", "rating_rejected": "r"})",
       "`columns.rating_rejected` needs `columns.rejected` beside it"},
      {R"({"prompt": "q", "answer": "a", "chosen": "w", "rejected": "l"})",
       "`columns.answer` and `columns.chosen` exclude each other: a row is either an answer or a "
       "pair"},
      {R"({"prompt": 1})", "`columns.prompt`: expected a string, found an integer"},
      {R"({"prompt": "q", "labels": "gold"})",
       "`columns.labels`: expected a table of name = path, found a string"},
  };
  for (const auto& [columns, message] : tables) {
    EXPECT_EQ(refusal("columns", {{"columns", Json::parse(columns)}}, Json::object()), message);
  }
}

TEST(Columns, StopsWhenTheHostWantsNoMore) {
  PluginUnderTest<attune_dataset> plugin("columns", "dataset/1", "columns",
                                         {{"columns", {{"prompt", "q"}}}});
  Arena arena;
  const attune_value record = to_value({{"q", "Why?"}}, arena);
  const attune_sample_sink sink{
      ATTUNE_END(attune_sample_sink, emit), 0, nullptr,
      [](void*, const attune_sample*) -> int32_t { return ATTUNE_E_CANCELLED; }};

  EXPECT_EQ(plugin->map(plugin.self(), &record, &sink), ATTUNE_E_CANCELLED);
}

}  // namespace
