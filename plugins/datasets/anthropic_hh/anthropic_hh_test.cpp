// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <vector>

#include "plugins/datasets/mapped.h"

namespace {

using namespace attune::testing;

struct Row {
  const char *row, *expected;
};

TEST(AnthropicHh, SplitsTranscriptsAtTheLastTurn) {
  const std::vector<Row> rows = {
      {R"({"chosen": "\n\nHuman: Is tea a plant?\n\nAssistant: Yes.",
           "rejected": "\n\nHuman: Is tea a plant?\n\nAssistant: No."})",
       R"({"views": [["user: Is tea a plant?", "assistant: Yes."],
                     ["user: Is tea a plant?", "assistant: No."]], "n_prompt": 1})"},
      {R"({"chosen": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Bye\n\nAssistant: See you.\n\nTake care.\n",
           "rejected": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Bye\n\nAssistant: Go."})",
       R"({"views": [["user: Hi", "assistant: Hello", "user: Bye", "assistant: See you.\n\nTake care."],
                     ["user: Hi", "assistant: Hello", "user: Bye", "assistant: Go."]], "n_prompt": 3})"},
      {R"({"chosen": "\n\nHuman: Say \"\nHuman: x\"\n\nHuman:\n\nAssistant:ok",
           "rejected": "\n\nHuman: Say \"\nHuman: x\"\n\nHuman: \n\nAssistant: no", "other": 1})",
       R"({"views": [["user: Say \"\nHuman: x\"", "user: ", "assistant: ok"],
                     ["user: Say \"\nHuman: x\"", "user: ", "assistant: no"]], "n_prompt": 2})"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(map_row("anthropic_hh", {}, Json::parse(row.row)), Json::parse(row.expected))
        << row.row;
  }
}

TEST(AnthropicHh, NamesTheFieldThatIsNoTranscript) {
  const std::vector<Row> rows = {
      {R"({"chosen": "\n\nHuman: a\n\nAssistant: b"})",
       "`rejected`: expected a string, found nothing"},
      {R"({"chosen": 3})", "`chosen`: expected a string, found an integer"},
      {R"({"chosen": "Human: a\n\nAssistant: b", "rejected": ""})",
       R"(`chosen`: expected a transcript that begins with "\n\nHuman:")"},
      {R"({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": ""})",
       R"(`rejected`: expected a transcript that begins with "\n\nHuman:")"},
      {R"({"chosen": "\n\nAssistant: b", "rejected": "\n\nAssistant: c"})",
       R"(`chosen`: expected a transcript that begins with "\n\nHuman:")"},
      {R"({"chosen": "\n\nHuman: a", "rejected": "\n\nHuman: a\n\nAssistant: c"})",
       "`chosen`: expected a transcript that ends with the assistant's turn"},
      {R"({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: \n"})",
       "`rejected`: the assistant's last turn is empty"},
      {R"({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: b "})",
       "`chosen` and `rejected` are the same transcript: nothing to prefer"},
      {R"({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: c\n\nAssistant: d"})",
       "`chosen` and `rejected` do not share a prompt: they differ from turn 1 on, and have 2 and "
       "2 "
       "turns"},
      {R"({"chosen": "\n\nHuman: a\n\nAssistant: b",
           "rejected": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d"})",
       "`chosen` and `rejected` do not share a prompt: they differ from turn 3 on, and have 2 and "
       "4 "
       "turns"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(refusal("anthropic_hh", {}, Json::parse(row.row)), row.expected) << row.row;
  }
}

}  // namespace
