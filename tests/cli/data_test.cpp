// SPDX-License-Identifier: Apache-2.0
// Data from files to steps: folders and patterns, readers' options, mixtures, cleaning, statistics,
// conversion.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "cli/shell.h"
#include "host/scratch_folder.h"
#include "kernel/host/json.h"

namespace attune::testing {
namespace {

std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) rows.push_back(Json::parse(line));
  return rows;
}

class DataTest : public ::testing::Test {
 protected:
  /// A manifest that trains two steps of four samples on the tiny model.
  std::string manifest(const std::string& data, const std::string& algorithm = "sft",
                       const std::string& length = "steps = 2") {
    std::filesystem::remove_all(folder / "runs/run");
    write(folder / "run.toml", R"(schema = 1
[run]
kind = "train"
name = "run"
output = "runs"
threads = 1
[model]
path = ")" ATTUNE_SOURCE_DIR R"(/configs/tiny/model"
init = "random"
[algorithm]
use = ")" + algorithm + R"("
[optimizer]
learning_rate = 1e-3
[train]
samples_per_step = 4
max_length = 64
)" + length + "\n" + data);
    return folder / "run.toml";
  }
  static std::string entry(const std::string& path, const std::string& more = "") {
    return "[[data.train]]\nuse = \"columns\"\npath = \"" + path +
           "\"\ncolumns = { prompt = \"q\", answer = \"a\" }\n" + more;
  }
  std::string rows(const std::string& word, int n) {
    std::string text;
    for (int i = 0; i < n; ++i)
      text += "{\"q\": \"" + word + " " + std::to_string(i) + "?\", \"a\": \"Yes.\"}\n";
    return text;
  }
  Outcome attune(const std::string& line) {
    return shell("cd " + folder.str() + " && attune " + line);
  }
  std::vector<Json> converted() {
    const Outcome outcome = attune("data convert run.toml --output out.jsonl");
    EXPECT_EQ(outcome.code, 0) << outcome.text;
    return lines_of(read(folder / "out.jsonl"));
  }

  ScratchFolder folder;
};

TEST_F(DataTest, AFolderAPatternAndAReaderWithOptions) {
  std::filesystem::create_directories(folder / "shards/deep");
  write(folder / "shards/1.jsonl", rows("one", 2));
  write(folder / "shards/deep/2.csv", "q,a\ntwo 0?,Yes.\n");
  write(folder / "semicolons.dat", "q;a\nthree 0?;Yes.\n");
  manifest(entry("shards") + entry("shards/[0-9].jsonl") +
           entry("semicolons.dat", "reader = { use = \"csv\", delimiter = \";\" }\n"));

  std::string found;
  for (const Json& row : converted()) found += row["prompt"][0]["content"].get<std::string>() + "|";
  EXPECT_EQ(found, "one 0?|one 1?|two 0?|one 0?|one 1?|three 0?|");
  const Outcome run = attune("run run.toml --quiet");
  EXPECT_EQ(run.code, 0) << run.text;

  manifest(entry("semicolons.dat", "reader = { use = \"csv\", delimter = \";\" }\n"));
  EXPECT_TRUE(has(attune("check run.toml").text, "did you mean `delimiter`?"))
      << attune("check run.toml").text;
  manifest(entry("no/*.jsonl"));
  EXPECT_TRUE(has(attune("run run.toml").text, "no/*.jsonl: no file matches this pattern"));
}

TEST_F(DataTest, AMixtureIsReportedAndRefusedWhereItMeansNothing) {
  write(folder / "a.jsonl", rows("a", 3));
  write(folder / "b.jsonl", rows("b", 30));
  manifest(entry("a.jsonl", "weight = 1\n") + entry("b.jsonl", "weight = 3\n"), "sft",
           "tokens = 600");
  const Outcome run = attune("run run.toml --quiet");
  ASSERT_EQ(run.code, 0) << run.text;
  const auto metrics = lines_of(read(folder / "runs/run/metrics.jsonl"));
  double before = 0;
  for (const Json& row : metrics) before += row.at("tokens").get<double>();
  EXPECT_GE(before, 600);
  EXPECT_LT(before - metrics.back()["tokens"].get<double>(), 600);

  manifest(entry("a.jsonl", "weight = 1\n") + entry("b.jsonl"), "sft", "epochs = 1");
  const Outcome check = attune("check run.toml");
  EXPECT_EQ(check.code, 2);
  EXPECT_TRUE(has(check.text, "this entry of [[data.train]] has no weight, another has"))
      << check.text;
  EXPECT_TRUE(has(check.text, "`epochs` has no meaning in a mixture")) << check.text;
}

TEST_F(DataTest, AStreamTrainsTheSameStepsAndBoundsItsLosses) {
  write(folder / "a.jsonl", rows("a", 9));
  std::vector<std::vector<Json>> runs;
  for (const char* more : {"", "stream = true\n"}) {
    manifest(entry("a.jsonl", more));
    const Outcome run = attune("run run.toml --quiet --set 'run.output=\"" +
                               std::string(*more ? "streamed" : "mapped") + "\"'");
    ASSERT_EQ(run.code, 0) << run.text;
    runs.push_back(lines_of(
        read(folder / (*more ? "streamed/run/metrics.jsonl" : "mapped/run/metrics.jsonl"))));
  }
  for (size_t step = 0; step < 2; ++step) EXPECT_EQ(runs[0][step]["loss"], runs[1][step]["loss"]);

  write(folder / "a.jsonl", rows("a", 2) + "{\"q\": \"b\"}\n" + rows("c", 1));
  manifest(entry("a.jsonl", "stream = true\n"));
  const Outcome refused = attune("run run.toml --quiet");
  EXPECT_EQ(refused.code, 6);
  EXPECT_TRUE(has(refused.text, "a.jsonl row 3: no `a` in the record")) << refused.text;
  manifest(entry("a.jsonl", "stream = true\nmax_dropped = 0.3\n"));
  EXPECT_EQ(attune("run run.toml --quiet").code, 0);
}

TEST_F(DataTest, DuplicatesAndHeldoutItemsAreLeftOut) {
  write(folder / "a.jsonl",
        rows("a", 2) + rows("a", 3) +
            "{\"q\": \"Tell me: what is the shape of a very large egg?\", \"a\": \"Oval.\"}\n");
  write(folder / "test.jsonl", "{\"q\": \"What is the shape of a very small egg?\"}\n");
  const std::string heldout =
      "[[data.heldout]]\nuse = \"columns\"\npath = \"test.jsonl\"\ncolumns = { prompt = \"q\" }\n";
  manifest(entry("a.jsonl") + heldout + "[data]\nduplicates = \"drop\"\nngram = 6\n");

  const Outcome refused = attune("run run.toml");
  EXPECT_EQ(refused.code, 6);
  EXPECT_TRUE(has(refused.text, "a.jsonl row 6 holds words of test.jsonl row 1")) << refused.text;

  manifest(entry("a.jsonl") + heldout +
           "[data]\nduplicates = \"drop\"\nngram = 6\ncontaminated = \"drop\"\n");
  EXPECT_EQ(converted().size(), 3u);
  const Outcome run = attune("run run.toml");
  EXPECT_EQ(run.code, 0) << run.text;
  EXPECT_TRUE(has(run.text, "2 duplicates left out, 1 samples hold words of 1 held-out items"))
      << run.text;
  EXPECT_TRUE(has(read(folder / "runs/run/record.toml"), "duplicates = 2"));

  manifest(entry("a.jsonl", "stream = true\n") + "[data]\nduplicates = \"drop\"\n");
  EXPECT_TRUE(has(attune("check run.toml").text, "a stream cannot be cleaned"));
}

TEST_F(DataTest, StatisticsCountTokensCopiesAndDisagreement) {
  write(folder / "pairs.jsonl",
        "{\"q\": \"Why?\", \"w\": \"So it is.\", \"l\": \"No.\"}\n{\"q\": \"Why?\", \"w\": "
        "\"No.\", \"l\": \"So it is.\"}\n"
        "{\"q\": \"Why?\", \"w\": \"So it is.\", \"l\": \"No.\"}\n{\"q\": \"How?\", \"w\": \"" +
            std::string(200, 'x') + "\", \"l\": \"No.\"}\n");
  manifest(
      "[[data.train]]\nuse = \"columns\"\npath = \"pairs.jsonl\"\ncolumns = { prompt = \"q\", "
      "chosen = \"w\", rejected = \"l\" }\n",
      "dpo");

  const Outcome outcome = attune("data stats run.toml --json --html page.html");
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  const Json of = Json::parse(outcome.text.substr(outcome.text.find('[')))[0]["statistics"];
  EXPECT_EQ(of["samples"], 4);
  EXPECT_EQ(of["shapes"], Json({{"pair", 4}}));
  EXPECT_EQ(of["duplicates"], 1);
  EXPECT_EQ(of["judged_again"], 2);
  EXPECT_EQ(of["disagree"], 1);
  EXPECT_EQ(of["prompts_repeated"], 1);
  EXPECT_EQ(of["longer"], 1);
  const int64_t tokens = of["conversation_tokens"]["sum"],
                longest = of["conversation_tokens"]["max"];
  EXPECT_EQ(of["tokens_cut"], longest - 64);
  EXPECT_GT(of["scored_tokens"], 0);
  EXPECT_LT(of["scored_tokens"], tokens);
  // The same count as the tokenizer's own command.
  write(folder / "chat.jsonl",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"How?\"}, {\"role\": \"assistant\", "
        "\"content\": \"" +
            std::string(200, 'x') + "\"}]}\n");
  const Outcome ids = attune("tokenize " ATTUNE_SOURCE_DIR
                             "/configs/tiny/model --input chat.jsonl --output ids.jsonl");
  ASSERT_EQ(ids.code, 0) << ids.text;
  EXPECT_EQ(lines_of(read(folder / "ids.jsonl"))[0]["ids"].size(), size_t(longest));
  const std::string page = read(folder / "page.html");
  EXPECT_TRUE(has(page, "<svg") && has(page, "prefers-color-scheme"));
  EXPECT_FALSE(has(page, "http") || has(page, "<script"));
}

/// What `data convert` writes, the dataset `samples` reads back as it was: a second conversion
/// gives the same bytes.
TEST_F(DataTest, ConversionLosesNothing) {
  write(
      folder / "rows.jsonl",
      R"({"id": "x", "prompt": [{"role": "system", "content": "S"}, {"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image", "url": "a.png"}]}], "answers": [{"turns": [{"role": "assistant", "content": "A", "weight": 0.5}], "rating": 3.5, "feedback": "Good."}, {"turns": [{"role": "assistant", "content": "B"}, {"role": "user", "content": "?"}, {"role": "assistant", "content": "C"}], "rating": 1.0}, {"turns": [{"role": "assistant", "content": "D"}], "rating": 0.5}], "labels": {"list": [1, true, null, "é"], "margin": 0.25}}
{"id": "y", "prompt": [{"role": "user", "content": "Why?"}], "answers": [{"turns": [{"role": "assistant", "content": "So."}]}]}
{"id": "z", "prompt": [{"role": "user", "content": "Only a prompt"}]}
)");
  const std::string data = "[[data.train]]\nuse = \"samples\"\npath = \"PATH\"\n";
  const auto with = [&](const std::string& path) {
    return data.substr(0, data.find("PATH")) + path + "\"\n";
  };
  manifest(with("rows.jsonl"));
  const std::vector<Json> first = converted();
  ASSERT_EQ(first.size(), 3u);
  EXPECT_EQ(first, lines_of(read(folder / "rows.jsonl")));
  const std::string once = read(folder / "out.jsonl");
  std::filesystem::rename(folder / "out.jsonl", folder / "again.jsonl");
  manifest(with("again.jsonl"));
  converted();
  EXPECT_EQ(read(folder / "out.jsonl"), once);
}

TEST_F(DataTest, ARewardModelJudgesPairsAndConversations) {
  write(folder / "pairs.jsonl",
        "{\"q\": \"Why?\", \"w\": \"So it is.\", \"l\": \"No.\"}\n{\"q\": \"How?\", \"w\": "
        "\"Thus.\", \"l\": \"Never mind.\"}\n");
  const std::string columns =
      "use = \"columns\"\npath = \"pairs.jsonl\"\ncolumns = { prompt = \"q\", chosen = \"w\", "
      "rejected = \"l\" }\n";
  manifest("[[data.train]]\n" + columns, "reward", "steps = 30");
  const Outcome run = attune("run run.toml --quiet");
  ASSERT_EQ(run.code, 0) << run.text;
  const std::string judge =
      "schema = 1\n[run]\nkind = \"evaluate\"\nname = \"judge\"\noutput = \"runs\"\n[model]\npath "
      "= \"runs/run/final\"\n[[evaluate]]\nuse = \"preference_accuracy\"\n";
  write(folder / "judge.toml", judge + "by = \"reward\"\n[evaluate.data]\n" + columns);
  const Outcome judged = attune("run judge.toml --quiet");
  ASSERT_EQ(judged.code, 0) << judged.text;
  const Json metrics = Json::parse(
      read(folder / "runs/judge/results.json"))["evaluate"]["preference_accuracy"]["metrics"];
  EXPECT_EQ(metrics["accuracy"]["value"], 1.0);
  EXPECT_GT(metrics["margin"]["value"].get<double>(), 0);

  // The command gives the same numbers: the margin of the first pair.
  write(folder / "chat.jsonl",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"Why?\"}, {\"role\": \"assistant\", "
        "\"content\": \"So it is.\"}]}\n"
        "{\"messages\": [{\"role\": \"user\", \"content\": \"Why?\"}, {\"role\": \"assistant\", "
        "\"content\": \"No.\"}]}\n");
  ASSERT_EQ(attune("score runs/run/final --input chat.jsonl --output values.jsonl").code, 0);
  const auto values = lines_of(read(folder / "values.jsonl"));
  const double margin = values[0]["values"][0].get<double>() - values[1]["values"][0].get<double>();
  EXPECT_NEAR(
      margin,
      lines_of(read(folder / "runs/judge/samples.jsonl"))[0]["metrics"]["margin"].get<double>(),
      1e-5);

  write(folder / "judge.toml", judge + "[evaluate.data]\n" + columns);
  EXPECT_TRUE(has(attune("run judge.toml --quiet --set 'run.name=\"other\"'").text,
                  "has a value head in the place of a language model's"));
  write(folder / "judge.toml", judge + "by = \"reward\"\n[evaluate.data]\n" + columns);
  manifest("[[data.train]]\n" + columns, "dpo");
  ASSERT_EQ(attune("run run.toml --quiet --set 'run.name=\"policy\"'").code, 0);
  EXPECT_TRUE(has(attune("run judge.toml --quiet --set 'run.name=\"third\"' --set "
                         "'model.path=\"runs/policy/final\"'")
                      .text,
                  "this model has no value head"));
}

}  // namespace
}  // namespace attune::testing
