// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "host/fakes.h"
#include "host/scratch_folder.h"
#include "kernel/host/commands/command_line.h"
#include "kernel/host/commands/json_lines.h"
#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"
#include "kernel/host/services/tokenizer.h"

namespace attune::testing {
namespace {

std::string refusal(Exit exit, const std::function<void()>& body) {
  try {
    body();
    return "no error";
  } catch (const ExitError& error) {
    EXPECT_EQ(error.exit(), exit) << error.what();
    return error.what();
  }
}

const CommandSpec kSpec{
    "demo",
    "Shows",
    "attune demo x",
    {{"FILE", "a file"}, {"[MORE]", "more"}},
    {{"set", "K=V", "sets", true}, {"max-tokens", "N", "number"}, {"quiet,q", "", "quiet"}}};

TEST(CommandLine, WordsAndOptionsMixInAnyOrder) {
  const Arguments found =
      parse_arguments(kSpec, {"--set", "a=1", "f.toml", "-q", "--set=b=2", "--max-tokens", "12"});

  EXPECT_EQ(found.text("FILE"), "f.toml");
  EXPECT_FALSE(found.text("MORE"));
  EXPECT_EQ(found.all("set"), (std::vector<std::string>{"a=1", "b=2"}));
  EXPECT_EQ(found.integer("max-tokens", 0), 12);
  EXPECT_TRUE(found.flag("quiet"));
}

TEST(CommandLine, ASingleDashIsAWord) {
  EXPECT_EQ(parse_arguments(kSpec, {"-"}).text("FILE"), "-");
}

TEST(CommandLine, MistakesAreNamedWithACure) {
  struct Row {
    std::vector<std::string> words;
    const char* expected;
  };
  const Row rows[] = {
      {{"f", "--max-token", "3"}, "did you mean --max-tokens?"},
      {{"f", "--qiet"}, "did you mean --quiet?"},
      {{}, "missing FILE: a file"},
      {{"a", "b", "c"}, "unexpected argument \"c\""},
      {{"f", "--max-tokens"}, "max-tokens"},
      {{"f", "--max-tokens", "1", "--max-tokens", "2"}, "--max-tokens is given twice"}};
  for (const Row& row : rows) {
    const std::string said = refusal(Exit::kUsage, [&] { parse_arguments(kSpec, row.words); });
    EXPECT_NE(said.find(row.expected), std::string::npos) << said;
    EXPECT_NE(said.find("attune demo --help"), std::string::npos) << said;
  }
}

TEST(CommandLine, NumbersAreWholeAndInRange) {
  for (const char* wrong : {"abc", "1.5", "12x", "0", "-3", "99999999999999999999"}) {
    const std::string said = refusal(Exit::kUsage, [&] {
      parse_arguments(kSpec, {"f", "--max-tokens=" + std::string(wrong)}).integer("max-tokens", 0, 1);
    });
    EXPECT_NE(said.find("--max-tokens"), std::string::npos) << wrong << ": " << said;
  }
}

TEST(CommandLine, HelpShowsEveryOptionAndTheExample) {
  const std::string text = help_text(kSpec);

  for (const char* part : {"Usage: attune demo FILE [MORE]", "--set K=V", "-q, --quiet",
                           "(may be repeated)", "Example:\n  attune demo x"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(JsonLines, MistakesNameFileAndLine) {
  const ScratchFolder folder;
  FakeConsole fake;
  const auto said = [&](const std::string& text) {
    write(folder / "in.jsonl", text);
    return refusal(Exit::kData, [&] { read_rows(folder / "in.jsonl", fake.console); });
  };

  EXPECT_NE(said("{}\n\n{\"a\": }\n").find("in.jsonl:3: is no JSON at byte"), std::string::npos);
  EXPECT_NE(said("[1]").find("in.jsonl:1: expected an object, found array"), std::string::npos);
}

TEST(JsonLines, ADashIsStandardInputAndOutput) {
  FakeConsole fake;
  fake.in.str("{\"a\": 1}\n{\"a\": 2}");

  const auto rows = read_rows("-", fake.console);
  RowWriter writer("-", fake.console);
  for (const InputRow& row : rows) writer.write(row.json);
  writer.finish();

  EXPECT_EQ(fake.out.str(), "{\"a\":1}\n{\"a\":2}\n");
}

TEST(JsonLines, AnUnfinishedOutputLeavesNoFile) {
  const ScratchFolder folder;
  FakeConsole fake;
  { RowWriter(folder / "out.jsonl", fake.console).write({{"a", 1}}); }

  EXPECT_TRUE(std::filesystem::is_empty(folder.str()));
}

TEST(JsonLines, MessagesMayHaveParts) {
  const InputRow row{Json::parse(R"({"messages": [{"role": "user", "content": [
      {"type": "text", "text": "What is this?"}, {"type": "image", "path": "cat.png"}]}]})"),
                     "in:1"};

  const SampleBuilder sample = read_messages(row);

  const attune_turn& turn = sample.c().views[0].turns[0];
  ASSERT_EQ(turn.n_parts, 2u);
  EXPECT_EQ(turn.parts[1].kind, ATTUNE_IMAGE);
  EXPECT_EQ(string(turn.parts[1].uri), "cat.png");
}

TEST(JsonLines, MistakesInMessagesNameTheirPlace) {
  struct Row {
    const char* json;
    const char* expected;
  };
  const Row rows[] = {{R"({"messages": []})", "at least one message"},
                      {R"({"messages": [{"content": "a"}]})", "messages[0]: expected {\"role\""},
                      {R"({"messages": [{"role": "user", "content": 3}]})",
                       "messages[0].content: expected a string or a list"},
                      {R"({"messages": [{"role": "user", "content": [{"type": "smell"}]}]})",
                       "messages[0].content[0]"},
                      {R"({"messages": [{"role": "user", "content": [{"type": "image"}]}]})",
                       "expected \"path\" or \"url\" of the image"}};
  for (const Row& row : rows) {
    const std::string said = refusal(Exit::kData, [&] {
      read_messages({Json::parse(row.json), "in:1"});
    });
    EXPECT_NE(said.find(row.expected), std::string::npos) << said;
    EXPECT_TRUE(said.starts_with("in:1: ")) << said;
  }
}

TEST(JsonLines, OneOfTheKeysMustBeThere) {
  EXPECT_EQ(only_key({{{"ids", 1}}, "in:1"}, {"text", "ids"}), "ids");
  EXPECT_NE(refusal(Exit::kData,
                    [] {
                      only_key({{{"txt", 1}}, "in:1"}, {"text", "ids"});
                    })
                .find("expected one of: text, ids; found only: txt"),
            std::string::npos);
  EXPECT_NE(refusal(Exit::kData,
                    [] {
                      only_key({{{"text", 1}, {"ids", 1}}, "in:1"}, {"text", "ids"});
                    })
                .find("has both"),
            std::string::npos);
}

TEST(Digest, AgreesWithTheStandardsExample) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, AFolderIsItsNamesAndBytes) {
  const ScratchFolder a, b;
  for (const ScratchFolder* folder : {&a, &b}) write(*folder / "x", "1");
  const std::string before = sha256_tree(a.str());

  EXPECT_EQ(before, sha256_tree(b.str()));
  std::filesystem::rename(b / "x", b / "y");
  EXPECT_NE(before, sha256_tree(b.str()));
}

TEST(Files, AStagedFolderIsThereWholeOrNotAtAll) {
  const ScratchFolder folder;
  { const StagedFolder abandoned(folder / "out"); }
  EXPECT_TRUE(std::filesystem::is_empty(folder.str()));

  StagedFolder staged(folder / "out");
  write((staged.path() / "file").string(), "text");
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
  staged.publish();

  EXPECT_EQ(read(folder / "out/file"), "text");
  EXPECT_NE(refusal(Exit::kUsage, [&] { StagedFolder(folder / "out"); }).find("never overwritten"),
            std::string::npos);
}

TEST(Tokenizer, OnlyAssistantTurnsAfterThePromptAreScored) {
  const attune_turn turns[] = {{str("user"), nullptr, 0, 1},
                               {str("assistant"), nullptr, 0, 1},
                               {str("user"), nullptr, 0, 1},
                               {str("assistant"), nullptr, 0, 1}};
  const Rendering rendering{"", {{0, 1, 0}, {1, 2, 1}, {2, 3, 2}, {3, 4, 3}}};

  EXPECT_EQ(scored_spans(rendering, turns, 0).size(), 2u);
  EXPECT_EQ(scored_spans(rendering, turns, 3).size(), 1u);
}

}  // namespace
}  // namespace attune::testing
