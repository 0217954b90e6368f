// SPDX-License-Identifier: Apache-2.0
#include "nn/text_encoding.h"

#include <gtest/gtest.h>

#include "attune/sample.h"
#include "tests/model/model_under_test.h"

namespace attune::testing {
namespace {

/// A byte is its own id; some strings are one token. The template is <r>ROLE:CONTENT<e>; and a
/// tokenizer may have none.
class Bytes final : public Tokenizer {
 public:
  bool has_template = true, adds_bos = false;
  std::string behind = "<e>;";  ///< what the template puts behind a content
  static constexpr int64_t kBos = 256, kEos = 257, kRole = 258, kJoined = 259;

  int64_t vocabulary() const override { return 260; }
  int64_t token(std::string_view name) const override {
    if (name == "bos" || name == "<s>") return adds_bos ? kBos : -1;
    if (name == "eos" || name == "<e>") return kEos;
    return name == "<r>" ? kRole : -1;
  }
  Encoding encode(std::string_view text, bool add_special) const override {
    Encoding made;
    if (add_special && adds_bos) made.ids.push_back(kBos), made.offsets.push_back({0, 0});
    for (size_t i = 0; i < text.size();) {
      size_t length = 1;
      int64_t id = static_cast<unsigned char>(text[i]);
      if (text.substr(i, 3) == "<e>") id = kEos, length = 3;
      if (text.substr(i, 3) == "<r>") id = kRole, length = 3;
      if (text.substr(i, 2) == "?y") id = kJoined, length = 2;
      made.ids.push_back(id);
      made.offsets.push_back({i, i + length});
      i += length;
    }
    return made;
  }
  std::string decode(std::span<const int64_t> ids, bool skip_special) const override {
    std::string text;
    for (const int64_t id : ids) {
      const bool special = id >= kBos && id <= kRole;
      if (special && !skip_special) text += "<>";
      if (id == kJoined) text += "?y";
      if (id < kBos) text += static_cast<char>(id);
    }
    return text;
  }
  std::string decode_next(std::span<const int64_t> ids, bool skip_special) const override {
    return decode(ids.last(1), skip_special);
  }
  Rendering render(std::span<const attune_turn> turns, bool) const override {
    if (!has_template) throw Error("no chat template", ATTUNE_E_UNSUPPORTED);
    Rendering made;
    for (size_t t = 0; t < turns.size(); ++t) {
      made.text += "<r>" + string(turns[t].role).substr(0, 1) + ":";
      const size_t begin = made.text.size();
      made.text += text_of(turns[t], "template");
      made.spans.push_back({begin, made.text.size(), t});
      made.text += behind;
    }
    return made;
  }
};

SampleBuilder sample_of(const std::vector<std::vector<Message>>& views, size_t n_prompt = 1) {
  SampleBuilder made;
  made.id("row 7").prompt_turns(n_prompt);
  for (const auto& messages : views) {
    Conversation conversation;
    conversation.messages = messages;
    made.add(conversation);
  }
  return made;
}

Encoded encode(const SampleBuilder& sample, const Bytes& tokenizer, EncodeOptions options = {}) {
  return nn::encode_text(sample.c(), tokenizer, options, "test");
}

/// The scored tokens of one answer, EOS as $, other special tokens as #.
std::string scored_text(const Encoded& encoded, int64_t sequence = 0) {
  std::string text;
  for (const UnitOf& unit : encoded.units) {
    if (unit.sequence != sequence) continue;
    if (unit.target == Bytes::kJoined)
      text += "?y";
    else
      text += unit.target == Bytes::kEos ? '$'
              : unit.target > 255        ? '#'
                                         : static_cast<char>(unit.target);
  }
  return text;
}

/// Each unit's row holds the token before its target on the way through the branches.
void expect_rows_to_precede(const Encoded& encoded) {
  std::vector<int64_t> before(encoded.ids.size(), -1);
  for (const Branch& branch : encoded.branches) {
    for (int64_t row = branch.begin; row < branch.end; ++row)
      before[row] = row > branch.begin  ? row - 1
                    : branch.parent < 0 ? -1
                                        : encoded.branches[branch.parent].end - 1;
  }
  for (size_t row = 0; row < encoded.ids.size(); ++row) {
    EXPECT_EQ(encoded.positions[row], before[row] < 0 ? 0 : encoded.positions[before[row]] + 1);
  }
  for (const UnitOf& unit : encoded.units) {
    bool found = false;
    for (size_t row = 0; row < encoded.ids.size(); ++row)
      found |= before[row] == unit.row && encoded.ids[row] == unit.target;
    EXPECT_TRUE(found) << "no row after " << unit.row << " has " << unit.target;
  }
}

const Message kQuestion{"user", "hi"};

TEST(TextEncoding, ScoresTheAnswerAndTheTokenThatEndsIt) {
  const Encoded made = encode(sample_of({{kQuestion, {"assistant", "yes"}}}), {});

  EXPECT_EQ(scored_text(made), "yes$");
  EXPECT_EQ(made.sequences, 1);
  EXPECT_EQ(made.branches.size(), 1U);
  EXPECT_EQ(made.ids.back(), Bytes::kEos);  // The template's last ; is no row.
  expect_rows_to_precede(made);
}

TEST(TextEncoding, ScoresEveryAssistantTurnBehindThePrompt) {
  const std::vector<Message> turns = {
      kQuestion,     {"assistant", "a"},    {"user", "b"}, {"assistant", "cd", 0.5},
      {"user", "e"}, {"assistant", "f", 0}, {"user", "g"}, {"assistant", "h"}};

  const Encoded made = encode(sample_of({turns}, 2), {});

  EXPECT_EQ(scored_text(made), "cd$h$");
  EXPECT_EQ(made.units.front().weight, 0.5F);
  EXPECT_EQ(made.units.back().weight, 1.0F);
  expect_rows_to_precede(made);
}

TEST(TextEncoding, EndsATurnOnlyWithWhatEndsIt) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"<e>", "yes$"}, {"<e>\n", "yes$"}, {" <e>", "yes $"}, {"<r>", "yes#"},
      {"\n", "yes"},   {" <r>", "yes"},   {"", "yes"},       {".<e>", "yes"}};
  for (const auto& [behind, expected] : rows) {
    Bytes tokenizer;
    tokenizer.behind = behind;
    EXPECT_EQ(scored_text(encode(sample_of({{kQuestion, {"assistant", "yes"}}}), tokenizer)),
              expected)
        << behind;
  }
}

TEST(TextEncoding, ScoresATokenThatReachesIntoTheAnswer) {
  Bytes tokenizer;
  tokenizer.has_template = false;

  const Encoded made = encode(sample_of({{{"user", "ok?"}, {"assistant", "yes"}}}), tokenizer);

  EXPECT_EQ(scored_text(made), "?yes$");
}

TEST(TextEncoding, SharesWhatAllViewsBeginWith) {
  const auto sample =
      sample_of({{kQuestion, {"assistant", "yes"}}, {kQuestion, {"assistant", "you"}}});

  const Encoded made = encode(sample, {});

  ASSERT_EQ(made.branches.size(), 3U);
  EXPECT_EQ(made.branches[0].parent, -1);
  EXPECT_EQ(made.branches[1].parent, 0);
  EXPECT_EQ(made.branches[2].parent, 0);
  EXPECT_EQ(scored_text(made, 0), "yes$");
  EXPECT_EQ(scored_text(made, 1), "you$");
  EXPECT_EQ(made.ids[made.branches[0].end - 1], 'y');
  expect_rows_to_precede(made);
  // The y is scored once in each answer, by the same row.
  EXPECT_EQ(made.units[0].row, made.units[4].row);
}

TEST(TextEncoding, GivesTheSameUnitsWithoutSharing) {
  const auto sample = sample_of({{kQuestion, {"assistant", "yes"}},
                                 {kQuestion, {"assistant", "no"}},
                                 {kQuestion, {"assistant", "yes"}}});

  const Encoded shared = encode(sample, {}), separate = encode(sample, {}, {.share_prompt = false});

  EXPECT_EQ(separate.branches.size(), 3U);
  EXPECT_LT(shared.ids.size(), separate.ids.size());
  ASSERT_EQ(shared.units.size(), separate.units.size());
  for (size_t u = 0; u < shared.units.size(); ++u) {
    EXPECT_EQ(shared.units[u].target, separate.units[u].target);
    EXPECT_EQ(shared.units[u].sequence, separate.units[u].sequence);
    EXPECT_EQ(shared.ids[shared.units[u].row], separate.ids[separate.units[u].row]);
    EXPECT_EQ(shared.positions[shared.units[u].row], separate.positions[separate.units[u].row]);
  }
  expect_rows_to_precede(separate);
}

TEST(TextEncoding, SharesAViewThatIsTheBeginningOfAnother) {
  Bytes tokenizer;
  tokenizer.behind = "";

  const Encoded made = encode(
      sample_of({{kQuestion, {"assistant", "ye"}}, {kQuestion, {"assistant", "yes"}}}), tokenizer);

  EXPECT_EQ(scored_text(made, 0), "ye");
  EXPECT_EQ(scored_text(made, 1), "yes");
  EXPECT_EQ(made.branches.size(), 2U);
  expect_rows_to_precede(made);
}

TEST(TextEncoding, EndsAPlainTextWithEos) {
  Bytes tokenizer;
  tokenizer.has_template = false;
  tokenizer.adds_bos = true;

  const Encoded made = encode(sample_of({{kQuestion, {"assistant", "yes"}}}), tokenizer);

  EXPECT_EQ(made.ids, (std::vector<int64_t>{Bytes::kBos, 'h', 'i', 'y', 'e', 's', Bytes::kEos}));
  EXPECT_EQ(scored_text(made), "yes$");
}

TEST(TextEncoding, ScoresTheEndOfAnEmptyAnswer) {
  EXPECT_EQ(scored_text(encode(sample_of({{kQuestion, {"assistant", ""}}}), {})), "$");
  Bytes plain;
  plain.has_template = false;
  EXPECT_EQ(scored_text(encode(sample_of({{kQuestion, {"assistant", ""}}}), plain)), "$");
}

TEST(TextEncoding, CutsTheEndOfALongAnswer) {
  // <r> u : h i <e> ; <r> a : is ten tokens, then the answer.
  const Encoded made =
      encode(sample_of({{kQuestion, {"assistant", "abcdef"}}}), {}, {.max_length = 13});

  EXPECT_EQ(made.ids.size(), 13U);
  EXPECT_EQ(scored_text(made), "abc");
}

TEST(TextEncoding, RefusesWhatHasNothingToScore) {
  struct Row {
    std::vector<std::vector<Message>> views;
    std::string behind;
    int64_t max_length;
    std::string word;
  };
  const std::vector<Row> rows = {
      {{{kQuestion}}, "<e>", 0, "no assistant turn after the prompt"},
      {{{kQuestion, {"assistant", "a", 0}}}, "<e>", 0, "weight 0"},
      {{{kQuestion, {"assistant", "yes"}}}, "<e>;", 10, "max_length = 10"},
      {{{kQuestion, {"assistant", ""}}}, "", 0, "empty"},
      {{{kQuestion, {"assistant", "a"}}, {kQuestion}}, "<e>", 0, "view 1"},
      {{}, "<e>", 0, "no view"},
  };
  for (const Row& row : rows) {
    Bytes tokenizer;
    tokenizer.behind = row.behind;
    try {
      encode(sample_of(row.views), tokenizer, {.max_length = row.max_length});
      ADD_FAILURE() << "accepted: " << row.word;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(row.word), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("row 7"), std::string::npos) << error.what();
    }
  }
}

TEST(TextEncoding, RefusesAPartThatIsNoText) {
  const attune_part image{ATTUNE_IMAGE, 0, str("image/png"), str("a.png"), {}};
  const attune_turn turn{str("user"), &image, 1, 1};
  SampleBuilder sample;
  sample.add_view({&turn, 1, 0, {}});

  EXPECT_THROW(encode(sample, {}), Error);
}

TEST(TextEncoding, RefusesMoreRowsThanAModelHasLearnedPositionsFor) {
  ModelUnderTest model("gpt2", read_json(model_folder("gpt2") + "/tiny.json"));

  try {
    model->encode({}, Bytes(), {.max_length = 129});
    FAIL() << "129 rows were accepted";
  } catch (const std::exception& error) {
    EXPECT_STREQ(
        error.what(),
        "gpt2: max_length = 129, but the model has learned 128 positions; lower max_length");
  }
}

const std::vector<Message> kLong = {{"system", "S"}, {"user", "one"}, {"assistant", "two"}, {"user", "three"}, {"assistant", "four"}};

TEST(TextEncoding, LearnsFromTheLastTurnOrTheWholeTextWhereAsked) {
  const auto with = [&](EncodeOptions::Scored what) {
    return scored_text(encode(sample_of({kLong}, 1), Bytes(), {.scored = what}));
  };

  EXPECT_EQ(with(EncodeOptions::Scored::kAssistant), "two$four$");
  EXPECT_EQ(with(EncodeOptions::Scored::kLast), "four$");
  EXPECT_EQ(with(EncodeOptions::Scored::kAll), "s:S$;#u:one$;#a:two$;#u:three$;#a:four$;");
}

TEST(TextEncoding, DropsTheOldestTurnsOfATooLongPrompt) {
  const SampleBuilder sample = sample_of({kLong}, 4);
  const auto ids = [&](int64_t limit) {
    return encode(sample, Bytes(), {.max_length = limit, .truncation = EncodeOptions::Truncation::kTurns}).ids;
  };
  const std::vector<Message> rest = {{"system", "S"}, {"user", "three"}, {"assistant", "four"}};

  EXPECT_EQ(ids(100), encode(sample, Bytes()).ids);
  EXPECT_EQ(ids(30), encode(sample_of({rest}, 2), Bytes()).ids);
  EXPECT_THROW(ids(12), Error);
}

TEST(TextEncoding, RefusesATooLongSampleWhereAsked) {
  const SampleBuilder sample = sample_of({kLong}, 4);

  try {
    encode(sample, Bytes(), {.max_length = 20, .truncation = EncodeOptions::Truncation::kRefuse});
    FAIL() << "nothing was refused";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "test: sample \"row 7\", view 0 has 41 tokens, more than max_length = 20");
  }
}

TEST(TextEncoding, MarksTheLastRowOfEachAnswer) {
  const Encoded made = encode(sample_of({{{"user", "Q"}, {"assistant", "ab"}}, {{"user", "Q"}, {"assistant", "c"}}}), Bytes(),
                              {.marks = EncodeOptions::Marks::kLast});

  ASSERT_EQ(made.marks.size(), 2u);
  // What the template writes behind the answer's end is read as well, as it is wherever whole conversations are.
  for (const Mark& mark : made.marks) EXPECT_EQ(made.ids[mark.row], ';');
  EXPECT_EQ(made.marks[0].sequence, 0);
  EXPECT_EQ(made.marks[1].sequence, 1);
  EXPECT_LT(made.marks[0].row, made.marks[1].row);
}

TEST(TextEncoding, MarksTheLastTokenOfEachStepThatFits) {
  const std::string text[] = {"ab\n", "c?", "yd"};  // "?y" is one token: it belongs to both steps.
  std::vector<attune_part> parts;
  for (const std::string& step : text) parts.push_back({ATTUNE_TEXT, 0, {}, {}, {step.data(), step.size()}});
  const attune_part question = {ATTUNE_TEXT, 0, {}, {}, {"Q", 1}};
  const attune_turn turns[] = {{str("user"), &question, 1, 1.0}, {str("assistant"), parts.data(), parts.size(), 1.0}};
  SampleBuilder sample;
  sample.prompt_turns(1).add_view({turns, 2, NAN, {}});
  const auto marked = [&](int64_t limit) {
    const Encoded made = encode(sample, Bytes(), {.max_length = limit, .marks = EncodeOptions::Marks::kSteps});
    std::vector<int64_t> tokens;
    for (const Mark& mark : made.marks) tokens.push_back(made.ids[mark.row]);
    return tokens;
  };

  EXPECT_EQ(marked(0), (std::vector<int64_t>{'\n', Bytes::kJoined, 'd'}));
  EXPECT_EQ(marked(12), (std::vector<int64_t>{'\n'}));
}

}  // namespace
}  // namespace attune::testing
