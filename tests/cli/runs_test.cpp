// SPDX-License-Identifier: Apache-2.0
// Commands on what runs left: their list, their differences, a page on them, their checkpoints.
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/shell.h"
#include "faults/tiny_run.h"
#include "kernel/host/json.h"

namespace attune::testing {
namespace {

class RunsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write_tiny_run(folder.path, 6, 2);
    ASSERT_EQ(attune("run run.toml --quiet").code, 0);
  }
  Outcome attune(const std::string& line, const std::string& variables = "") {
    return shell("cd '" + folder.path.string() + "' && " + variables + "attune " + line);
  }
  /// A second run with another rate, and one that has not ended.
  void more_runs() {
    ASSERT_EQ(
        attune(
            "run run.toml --quiet --set 'run.name=\"fast<er>\"' --set optimizer.learning_rate=2e-3")
            .code,
        2);  // Not a name.
    ASSERT_EQ(
        attune(
            "run run.toml --quiet --set 'run.name=\"faster\"' --set optimizer.learning_rate=2e-3")
            .code,
        0);
    fs::create_directories(folder.path / "runs/cut");
    write_file(folder.path / "runs/cut/metrics.jsonl",
               "{\"step\": 1, \"loss\": 0.75}\n{\"step\": 2, \"lo");
  }

  TemporaryFolder folder;
};

TEST_F(RunsTest, AreListedWithTheirState) {
  more_runs();

  const Json rows = Json::parse(attune("runs list runs --json").text);

  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["path"], "runs/cut");
  EXPECT_EQ(rows[0]["state"], "stopped");
  EXPECT_EQ(rows[0]["step"], 1);
  EXPECT_EQ(rows[0]["loss"], 0.75);
  EXPECT_EQ(rows[2]["path"], "runs/tiny");
  EXPECT_EQ(rows[2]["state"], "finished");
  EXPECT_EQ(rows[2]["steps"], 6);
  EXPECT_EQ(rows[2]["step"], 6);
  const Outcome table = attune("runs list");
  for (const char* part : {"tiny", "stopped", "finished", "6/6", "tokens/s"})
    EXPECT_TRUE(has(table.text, part)) << table.text;
  EXPECT_EQ(attune("runs list nowhere").code, 1);
}

TEST_F(RunsTest, AreCompared) {
  more_runs();

  const Outcome outcome = attune("runs compare runs/tiny runs/faster");

  EXPECT_EQ(outcome.code, 0);
  EXPECT_TRUE(has(outcome.text, "optimizer.learning_rate  0.001   0.002")) << outcome.text;
  EXPECT_FALSE(has(outcome.text, "train.steps")) << outcome.text;
  EXPECT_TRUE(has(outcome.text, "gradient_norm")) << outcome.text;
  EXPECT_EQ(attune("runs compare runs/tiny").code, 1);
  EXPECT_TRUE(has(attune("runs compare runs/tiny pairs.jsonl").text,
                  "pairs.jsonl: there is no such folder"));
}

TEST_F(RunsTest, TheFirstStepWithOtherBitsIsNamed) {
  ASSERT_EQ(attune("run run.toml --quiet --set 'run.name=\"again\"'").code, 0);
  ASSERT_EQ(attune("run run.toml --quiet --set 'run.name=\"warm\"' --set 'schedule.use=\"linear\"'").code, 0);

  const Outcome outcome = attune("runs compare runs/tiny runs/again runs/warm");

  EXPECT_TRUE(has(outcome.text, "runs/again: the same bits as runs/tiny up to step 6")) << outcome.text;
  EXPECT_TRUE(has(outcome.text, "runs/warm: other bits than runs/tiny from step 2 on")) << outcome.text;  // Step 1 has the full rate.
}

TEST_F(RunsTest, TheBestAndThoseForGoodAreListedAndNotPruned) {
  fs::remove_all(folder.path / "runs");
  ASSERT_EQ(attune("run run.toml --quiet --set 'train.checkpoint={every=1, keep=3, keep_every=3, keep_best=1, best=\"gradient_norm\", best_is=\"highest\"}'").code, 0);

  const Outcome list = attune("checkpoints list runs/tiny");
  EXPECT_TRUE(has(list.text, "best gradient_norm") && has(list.text, "every 3") && has(list.text, "newest")) << list.text;
  EXPECT_TRUE(has(attune("checkpoints prune runs/tiny").text, "3 kept"));
  EXPECT_TRUE(has(attune("checkpoints prune runs/tiny --newest-only").text, "1 kept"));
  EXPECT_EQ(attune("run run.toml --quiet --set run.name=other --set 'train.checkpoint={every=1, keep_best=1, best=\"los\"}'").code, 2);
  const Outcome misspelt = attune("run run.toml --quiet --set 'run.name=\"other\"' --set 'train.checkpoint={every=1, keep_best=1, best=\"los\"}'");
  EXPECT_EQ(misspelt.code, 1);
  EXPECT_TRUE(has(misspelt.text, "there is no metric \"los\"; there are loss, ")) << misspelt.text;
}

TEST_F(RunsTest, AreShownWithPlanAndMeasurement) {
  const Outcome outcome = attune("runs show runs/tiny");

  EXPECT_EQ(outcome.code, 0);
  for (const char* part :
       {"runs/tiny: finished, step 6 of 6", "algorithm  dpo, loss sigmoid, beta 0.1",
        "6 steps, 4 samples a step", "gradient norm", "peak memory", "time of a step", "FLOP/s",
        "engine SHA-256", "org.attune.dpo"})
    EXPECT_TRUE(has(outcome.text, part)) << part << "\n" << outcome.text;
  const Json json = Json::parse(attune("runs show runs/tiny --json").text);
  EXPECT_EQ(json["state"], "finished");
  EXPECT_EQ(json["step"], 6);
  EXPECT_TRUE(json["metrics"]["loss"].is_number());
  EXPECT_GT(json["plan"]["memory"]["peak"], 0);
}

TEST_F(RunsTest, AreWatchedOnceWhereThereIsNoTerminal) {
  const Outcome plain = attune("runs watch runs/tiny --color never --width 60");
  const Outcome blocks = attune("runs watch runs/tiny --once --color always", "LC_ALL=C.UTF-8 ");

  EXPECT_EQ(plain.code, 0);
  for (const char* part :
       {"finished", "train, dpo, on model", "100 %  step 6/6", "reward margin", "log"})
    EXPECT_TRUE(has(plain.text, part)) << part << "\n" << plain.text;
  EXPECT_TRUE(std::all_of(plain.text.begin(), plain.text.end(),
                          [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
  EXPECT_TRUE(has(blocks.text, "█") && has(blocks.text, "\x1b[36m")) << blocks.text;
  EXPECT_TRUE(has(attune("runs watch runs/later").text, "waiting"));
  EXPECT_EQ(attune("runs watch runs/tiny --color blue").code, 1);
  EXPECT_EQ(attune("runs watch runs/tiny --width 39").code, 1);
}

TEST_F(RunsTest, OnePageShowsThemAll) {
  more_runs();
  ASSERT_EQ(attune("report runs --out page.html").code, 0);

  const std::string page = read_file(folder.path / "page.html");
  for (const char* part :
       {"<figcaption>Loss</figcaption>", "<figcaption>Gradient norm",
        "aria-label=\"Loss, steps 1 to 6.", "<g class=\"r2\">",
        "optimizer.learning_rate</th>", "What the manifests differ in",
        "Plan against measurement", "stopped",
        "<span class=\"k\">learning_rate</span> = <span class=\"n\">0.002</span>",
        "prefers-color-scheme", "default-src 'none'"})
    EXPECT_TRUE(has(page, part)) << part;
  for (const char* outside : {"src=", "<link", "@import", "url("})
    EXPECT_FALSE(has(page, outside)) << outside;
  for (size_t at = page.find("://"); at != page.npos; at = page.find("://", at + 1))
    EXPECT_EQ(page.substr(at - 4, 27), "http://www.w3.org/2000/svg'") << page.substr(at - 20, 60);
}

TEST_F(RunsTest, CheckpointsAreListedProvenAndPruned) {
  const fs::path checkpoints = folder.path / "runs/tiny/checkpoints";
  ASSERT_TRUE(fs::exists(checkpoints / "step-000004") && fs::exists(checkpoints / "step-000006"));
  EXPECT_TRUE(has(attune("checkpoints verify runs/tiny").text, "2 checkpoints are whole"));

  std::string bytes = read_file(checkpoints / "step-000006/state.safetensors");
  bytes[bytes.size() / 2] ^= 1;
  write_file(checkpoints / "step-000006/state.safetensors", bytes);
  const Outcome damaged = attune("checkpoints verify runs/tiny");
  EXPECT_EQ(damaged.code, 6);
  EXPECT_TRUE(
      has(damaged.text, "step-000006: state.safetensors has other bytes than when it was written"))
      << damaged.text;
  EXPECT_TRUE(has(attune("checkpoints list runs/tiny").text, "whole"));

  const Outcome pruned = attune("checkpoints prune runs/tiny --keep 1");
  EXPECT_EQ(pruned.code, 0) << pruned.text;
  EXPECT_TRUE(fs::exists(checkpoints / "step-000004"));
  EXPECT_FALSE(fs::exists(checkpoints / "step-000006"));
  EXPECT_TRUE(has(pruned.text, "removed step-000006 (state.safetensors has other bytes"))
      << pruned.text;
  EXPECT_EQ(attune("checkpoints list pairs.jsonl").code, 1);
}

}  // namespace
}  // namespace attune::testing
