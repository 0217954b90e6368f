// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <iterator>
#include <regex>

#include "cli/shell.h"
#include "host/scratch_folder.h"

namespace attune::testing {
namespace {

const std::string kTiny = ATTUNE_SOURCE_DIR "/configs/tiny.toml";

constexpr const char* kCommands[] = {
    "run",    "check",  "plan",     "explain", "data inspect", "plugins list", "plugins inspect",
    "plugins doctor", "plugins new", "plugins validate",
    "import", "export", "generate", "score",   "tokenize",     "report",       "runs list",
    "runs show", "runs compare", "runs watch"};

TEST(Cli, HelpListsEveryCommand) {
  const Outcome help = shell("attune --help");

  EXPECT_EQ(help.code, 0);
  for (const char* command : kCommands)
    EXPECT_TRUE(has(help.text, std::string("  ") + command)) << command;
}

TEST(Cli, EveryCommandExplainsItselfWithAnExample) {
  for (const char* command : kCommands) {
    const Outcome help = shell("attune " + std::string(command) + " --help");

    EXPECT_EQ(help.code, 0) << command;
    EXPECT_TRUE(has(help.text, "Usage: attune " + std::string(command))) << help.text;
    EXPECT_TRUE(has(help.text, "Example:\n")) << help.text;
  }
}

TEST(Cli, MistakesAreNamedWithTheNearestWordAndTheRightCode) {
  struct Row {
    const char* line;
    int code;
    const char* expected;
  };
  const Row rows[] = {
      {"attune", 1, "Usage: attune COMMAND"},
      {"attune chekc x", 1, "unknown command \"chekc\"; did you mean \"check\"?"},
      {"attune zzzzzz", 1, "attune --help lists them"},
      {"attune plugins lst", 1, "did you mean \"plugins list\"?"},
      {"attune plugins", 1, "\"plugins\" needs a second word; expected one of: list, inspect"},
      {"attune run --quit f", 1, "unknown option --quit; did you mean --quiet?"},
      {"attune run", 1, "missing FILE"},
      {"attune run a b", 1, "unexpected argument \"b\""},
      {"attune generate m p --temperature hot", 1,
       "--temperature: expected a number of at least 0, found \"hot\""},
      {"attune generate m p --max-tokens 0", 1,
       "--max-tokens: expected an integer of at least 1, found \"0\""},
      {"attune import a b --dtype int4", 1, "--dtype: expected float32 or bfloat16"},
      {"attune run /no/such.toml", 2, "/no/such.toml"},
      {"attune plugins inspect nobody", 3, "nobody"},
      {"attune tokenize /no/such/model", 6, "/no/such/model"},
      {"attune tokenize " ATTUNE_SOURCE_DIR "/configs/tiny/model --input /no/such.jsonl", 6,
       "/no/such.jsonl: cannot be read"},
      {"attune --help > /dev/full", 7, "standard output cannot be written"},
  };
  for (const Row& row : rows) {
    const Outcome outcome = shell(row.line);

    EXPECT_EQ(outcome.code, row.code) << row.line << "\n" << outcome.text;
    EXPECT_TRUE(has(outcome.text, row.expected)) << row.line << "\n" << outcome.text;
  }
}

TEST(Cli, CheckNamesKindAndStages) {
  const Outcome outcome = shell("attune check " + kTiny);

  EXPECT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_TRUE(has(outcome.text, "ok: pipeline \"tiny\"")) << outcome.text;
  EXPECT_TRUE(has(outcome.text, "algorithm dpo")) << outcome.text;
}

TEST(Cli, CheckReportsAllMistakesForMachinesToo) {
  const std::string sets = " --set run.nme=1 --set train.max_length=\\\"x\\\"";

  const Outcome text = shell("attune check " + kTiny + sets);
  const Outcome json = shell("attune check --json " + kTiny + sets);

  EXPECT_EQ(text.code, 2) << text.text;
  EXPECT_TRUE(has(text.text, "unknown key `nme`")) << text.text;
  EXPECT_TRUE(has(text.text, "2 errors")) << text.text;
  EXPECT_EQ(json.code, 2) << json.text;
  EXPECT_TRUE(has(json.text, "\"ok\": false")) << json.text;
}

TEST(Cli, ExplainNamesTheSourceOfAValue) {
  const Outcome written = shell("attune explain " + kTiny + " 'stage[1].run.seed'");
  const Outcome replaced = shell("attune explain " + kTiny + " run.seed --set run.seed=9");
  const Outcome unknown = shell("attune explain " + kTiny + " run.sed");

  EXPECT_EQ(written.code, 0) << written.text;
  EXPECT_TRUE(has(replaced.text, "run.seed = 9")) << replaced.text;
  EXPECT_TRUE(has(replaced.text, "instead of 7 from")) << replaced.text;
  EXPECT_EQ(unknown.code, 1);
  EXPECT_TRUE(has(unknown.text, "did you mean \"run.seed\"?")) << unknown.text;
}

/// Every library that the program's loader opened while `line` ran.
std::string libraries(const std::string& line) {
  const ScratchFolder folder;
  const Outcome outcome = shell("LD_DEBUG=files LD_DEBUG_OUTPUT=" + (folder / "loads") + " " +
                                line + " > /dev/null; echo $?; cat " + (folder / "loads") + ".*");
  EXPECT_TRUE(outcome.text.starts_with("0\n")) << outcome.text.substr(0, 500);
  EXPECT_TRUE(has(outcome.text, "libstdc++")) << "the trace is empty";
  return outcome.text;
}

/// Plugins among them: each comes as the sealed bytes that were checked, which have a number instead of a name.
std::ptrdiff_t plugins_in(const std::string& opened) {
  const std::regex begun("calling init: /proc/[0-9]+/fd/[0-9]+");
  return std::distance(std::sregex_iterator(opened.begin(), opened.end(), begun), std::sregex_iterator());
}

TEST(Cli, HelpListAndCheckOpenNeitherLibTorchNorAPlugin) {
  for (const std::string& line : {std::string("attune --help"), std::string("attune plugins list"),
                                  "attune check " + kTiny}) {
    const std::string opened = libraries(line);

    for (const char* never : {"libtorch", "libc10", "libattune-engine"})
      EXPECT_FALSE(has(opened, never)) << line << ": " << never;
    EXPECT_EQ(plugins_in(opened), 0) << line;
    EXPECT_FALSE(has(opened, ".attune.so")) << line;
  }
}

TEST(Cli, CheckOfDataOpensPurePluginsOnly) {
  const std::string opened = libraries("attune check --data " + kTiny);

  EXPECT_EQ(plugins_in(opened), 2) << "the dataset and its reader; neither the model nor the algorithm";
  for (const char* never : {"libtorch", "libc10"}) EXPECT_FALSE(has(opened, never)) << never;
}

TEST(Cli, ARowThatDoesNotMapIsFoundByCheck) {
  const ScratchFolder folder;
  write(folder / "rows.jsonl", "{\"q\": \"a\", \"a\": \"b\"}\n{\"q\": \"a\"}\n");
  write(folder / "run.toml", R"(schema = 1
[run]
kind = "train"
name = "x"
[model]
path = "."
[[data.train]]
use = "columns"
path = "rows.jsonl"
columns = { prompt = "q", answer = "a" }
[algorithm]
use = "sft"
[optimizer]
learning_rate = 1e-3
[train]
steps = 1
samples_per_step = 1
)");

  const Outcome without = shell("attune check " + (folder / "run.toml"));
  const Outcome with = shell("attune check --data " + (folder / "run.toml"));

  EXPECT_EQ(without.code, 0) << without.text;
  EXPECT_EQ(with.code, 6) << with.text;
  EXPECT_TRUE(has(with.text, "1 of the first 2 rows do not map")) << with.text;
  EXPECT_TRUE(has(with.text, "row 2: ")) << with.text;
}

}  // namespace
}  // namespace attune::testing
