// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "host/fakes.h"
#include "host/scratch_folder.h"
#include "kernel/host/run/layout.h"
#include "kernel/host/run/record.h"
#include "kernel/host/run/summary.h"
#include "kernel/host/run/toml_writer.h"
#include "kernel/host/services/progress.h"

namespace attune::testing {
namespace {

TEST(TomlWriter, KeepsOrderTypesAndNesting) {
  const Json table = {{"name", "a \"b\"\n"},
                      {"whole", 1},
                      {"real", 2.0},
                      {"small", 1e-8},
                      {"yes", true},
                      {"none", nullptr},
                      {"list", {1, 2}},
                      {"odd key", "x"},
                      {"inner", {{"deep", {{"x", 1}}}}},
                      {"rows", {{{"a", 1}}, {{"a", 2}}}}};

  EXPECT_EQ(to_toml(table),
            "name = \"a \\\"b\\\"\\n\"\nwhole = 1\nreal = 2.0\nsmall = 1e-08\nyes = true\nlist = "
            "[1, 2]\n\"odd key\" = \"x\"\n"
            "\n[inner]\n\n[inner.deep]\nx = 1\n\n[[rows]]\na = 1\n\n[[rows]]\na = 2\n");
}

TEST(TomlWriter, ControlCharactersAreEscaped) {
  EXPECT_EQ(to_toml({{"a", std::string("\x01\x7f\\")}}), "a = \"\\u0001\\u007F\\\\\"\n");
}

TEST(Record, OptionsStandBesideUseAsAPersonWritesThem) {
  const Json resolved = {{"algorithm", {{"use", "dpo"}, {"options", {{"beta", 0.1}}}}}};

  EXPECT_EQ(manifest_toml(resolved), "[algorithm]\nuse = \"dpo\"\nbeta = 0.1\n");
}

TEST(Record, AStagesRunTableSaysOnlyWhatAStageMaySay) {
  const Json resolved = {
      {"stage", Json::array({Json{
                    {"name", "sft"},
                    {"kind", "train"},
                    {"run", {{"kind", "train"}, {"name", "q"}, {"output", "/r"}, {"seed", 7}}}}})}};

  EXPECT_EQ(manifest_toml(resolved),
            "[[stage]]\nname = \"sft\"\nkind = \"train\"\n\n[stage.run]\nseed = 7\n");
}

TEST(Layout, TextWrapsAtSpacesAndCountsCharactersNotBytes) {
  EXPECT_EQ(wrap_text("aa bb cc", 5, 9), (std::vector<std::string>{"aa bb", "cc"}));
  EXPECT_EQ(wrap_text("ääääää", 4, 9), (std::vector<std::string>{"ääää", "ää"}));
  EXPECT_EQ(wrap_text("a\nb", 5, 9), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(wrap_text("one two three four", 9, 1), (std::vector<std::string>{"one t ..."}));
  EXPECT_EQ(wrap_text("", 5, 9), (std::vector<std::string>{""}));
}

TEST(Layout, ATerminalGetsNoControlCharacters) {
  EXPECT_EQ(wrap_text("a\x1b[31mb", 20, 1), (std::vector<std::string>{"a [31mb"}));
}

TEST(Layout, ATableIsAsWideAsItsCells) {
  TextTable table({"stage", "n"});
  table.add({"é", "10"});

  EXPECT_EQ(table.text(), "  stage   n\n  ---------\n  é      10\n");
}

Json results_of(double value) {
  const Json metric = {
      {"value", value}, {"low", value - 0.1}, {"high", value + 0.1}, {"n", 40}, {"share", true}};
  return {{"evaluate", {{"preference_accuracy", {{"rows", 40}, {"metrics", {{"sum", metric}}}}}}}};
}

TEST(Summary, EvaluationsStandSideBySideWithTheirChange) {
  const std::string text = summary({{"before", "evaluate", "", false, results_of(0.5)},
                                    {"after", "evaluate", "", false, results_of(0.85)}});

  EXPECT_NE(text.find("before"), std::string::npos);
  EXPECT_NE(text.find("preference_accuracy: sum  50.0 % (40-60)  85.0 % (75-95)  +35.0 points"),
            std::string::npos)
      << text;
}

TEST(Summary, BlankAnswersAndBlankLinesTakeNoRoom) {
  const ScratchFolder folder;
  write(folder / "answers.jsonl",
        Json{{"id", "1"}, {"prompt", "Q"}, {"text", "  a  b \n\n\n c\n\n"}}.dump() + "\n" +
            Json{{"id", "2"}, {"prompt", "R"}, {"text", " \n "}}.dump() + "\n");

  const std::string text = summary({{"answers", "generate", folder.str(), false, {}}});

  EXPECT_EQ(text, "  Prompt: Q\n  a b\n  c\n\n  Prompt: R\n  (blank)\n");
}

TEST(Summary, TrainingShowsSpeedAndMemoryAndWhereTheModelLies) {
  const Json results = {{"steps", 20},
                        {"loss", 0.6931},
                        {"tokens_per_s", 1234.4},
                        {"peak_memory_bytes", 1'500'000'000},
                        {"seconds", 75.0}};

  const std::string text = summary({{"dpo", "train", "/runs/q/dpo", false, results}});

  EXPECT_NE(text.find("dpo          20  0.6931     1,234      1.50 GB  1:15"), std::string::npos)
      << text;
  EXPECT_NE(text.find("/runs/q/dpo/final"), std::string::npos) << text;
}

TEST(Summary, ARunThatWasResumedAfterItsLastStepHasNoSpeed) {
  const Json results = {{"steps", 20}, {"loss", nullptr}, {"tokens_per_s", nullptr}};

  EXPECT_NE(summary({{"sft", "train", "/r", true, results}}).find("sft (unchanged)"),
            std::string::npos);
}

TEST(Summary, ThreeAnswersBeforeAndAfterFitIntoAHundredColumns) {
  const ScratchFolder folder;
  const std::string words =
      "many words that go on and on and on and need more than one column to be shown to anybody";
  for (const char* stage : {"before", "after"}) {
    std::filesystem::create_directories(folder / stage);
    std::string rows;
    for (int i = 0; i < 5; ++i)
      rows += Json{{"id", std::to_string(i)},
                   {"prompt", "Question " + std::to_string(i)},
                   {"text", stage + (" " + words)}}
                  .dump() +
              "\n";
    write(folder / stage + "/answers.jsonl", rows);
  }

  const std::string text = summary({{"before", "generate", folder / "before", false, {}},
                                    {"after", "generate", folder / "after", false, {}}});

  EXPECT_NE(text.find("Prompt: Question 2"), std::string::npos) << text;
  EXPECT_EQ(text.find("Prompt: Question 3"), std::string::npos) << text;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(text_width(line), 100u) << line;
}

TEST(Progress, APhaseThatIsShortIsOnePlainLine) {
  FakeConsole fake;
  Progress progress(fake.console);

  for (int64_t i = 0; i <= 3; ++i) progress.update("generate", i, 3);

  EXPECT_EQ(fake.err.str(), "generate  3/3  in 0:00\n");
}

TEST(Progress, ATerminalGetsOneLineThatIsDrawnAgain) {
  FakeConsole fake;
  fake.console.err_is_terminal = true;
  Progress progress(fake.console);

  progress.update("train", 1, 4);
  progress.metrics({{"loss", 0.51234}, {"tokens_per_s", 12345.6}});
  progress.update("train", 4, 4);

  const std::string text = fake.err.str();
  EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
  EXPECT_NE(text.find("[========================] 4/4  loss 0.5123  12,346 tokens/s"),
            std::string::npos)
      << text;
}

TEST(Progress, AQuietConsoleHearsNothing) {
  FakeConsole fake;
  fake.console.quiet = true;
  Progress progress(fake.console);

  progress.update("train", 1, 1);

  EXPECT_EQ(fake.err.str(), "");
}

TEST(Progress, TimesAndNumbersReadWell) {
  EXPECT_EQ(clock_text(7.4), "0:07");
  EXPECT_EQ(clock_text(3725), "1:02:05");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-1000), "-1,000");
  EXPECT_EQ(grouped(999), "999");
}

}  // namespace
}  // namespace attune::testing
