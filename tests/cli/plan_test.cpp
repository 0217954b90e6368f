// SPDX-License-Identifier: Apache-2.0
// What a run is said to cost, and whether it keeps to it.
#include <gtest/gtest.h>

#include "cli/shell.h"
#include "faults/tiny_run.h"
#include "kernel/host/json.h"

namespace attune::testing {
namespace {

class PlanTest : public ::testing::Test {
 protected:
  /// Long answers in one micro-batch, so that activations outweigh the process.
  void SetUp() override {
    write_tiny_run(folder.path, 2, 2);
    std::string rows;
    for (int i = 0; i < 96; ++i) {
      const std::string text(size_t(360 + 3 * i), 'x');
      rows += "{\"question\": \"Say\", \"better\": \"a" + text + "\", \"worse\": \"b" + text + "\"}\n";
    }
    write_file(folder.path / "pairs.jsonl", rows);
    write_file(folder.path / "long.toml", "schema = 1\ninclude = [\"run.toml\"]\n[run]\nname = \"long\"\n[train]\nsamples_per_step = 48\n"
                                          "tokens_per_batch = 65536\nmax_length = 700\n");
  }
  Outcome attune(const std::string& line) { return shell("cd '" + folder.path.string() + "' && attune " + line); }
  int64_t peak_of(const std::string& manifest) {
    const Outcome run = attune("run " + manifest + " --quiet --json");
    EXPECT_EQ(run.code, 0) << run.text;
    const size_t at = run.text.find("\"peak_memory_bytes\": ");
    return std::stoll(run.text.substr(at + 21));
  }
  Json plan_of(const std::string& manifest) {
    const Outcome plan = attune("plan " + manifest + " --json");
    EXPECT_EQ(plan.code, 0) << plan.text;
    return Json::parse(plan.text.substr(plan.text.find('[')))[0]["plan"];
  }

  TemporaryFolder folder;
};

TEST_F(PlanTest, TheRunNeedsTheMemoryThatIsPlanned) {
  const Json plan = plan_of("long.toml");

  const int64_t planned = plan["memory"]["peak"], found = peak_of("long.toml");
  EXPECT_GT(plan["memory"]["activations"], 100'000'000);
  EXPECT_NEAR(double(planned) / double(found), 1, 0.08) << planned << " planned, " << found << " measured\n" << plan.dump(2);
}

TEST_F(PlanTest, SaysWhatItKnowsByPart) {
  const Json plan = plan_of("long.toml");

  EXPECT_EQ(plan["layers"], 2);
  EXPECT_EQ(plan["memory"]["activations_by_layer"].size(), 2u);
  EXPECT_EQ(plan["memory"]["optimizer"], 8 * plan["trainable_parameters"].get<int64_t>());
  EXPECT_EQ(plan["work"]["steps"], 2);
  EXPECT_EQ(plan["work"]["lengths"], "of the 96 samples of all steps");
  EXPECT_GT(plan["time"]["step_s"], 0);
  EXPECT_GT(plan["time"]["reference_s"], 0);
  EXPECT_GT(plan["disk"]["total"], plan["disk"]["checkpoint"]);
}

TEST_F(PlanTest, CountsTheStatesAndWeightsOfEightAndFourBits) {
  const auto with = [&](const std::string& more) {
    write_file(folder.path / "other.toml", read_file(folder.path / "long.toml") + more);
    return plan_of("other.toml")["memory"];
  };
  const Json wide = plan_of("long.toml")["memory"];

  const Json narrow = with("[optimizer]\nstates = \"int8\"\n"), packed = with("[model]\nquantize = \"nf4\"\n[adapter]\nuse = \"lora\"\n");

  EXPECT_LT(narrow["optimizer"], 0.35 * wide["optimizer"].get<double>());
  EXPECT_LT(packed["weights"], 0.6 * wide["weights"].get<double>());
}

TEST_F(PlanTest, WithoutDataTakesTheMostThatTheManifestAllows) {
  fs::remove(folder.path / "pairs.jsonl");

  const Json plan = plan_of("long.toml");

  EXPECT_TRUE(has(plan["work"]["lengths"], "at most, by max_length")) << plan["work"];
  EXPECT_EQ(plan["work"]["rows_per_step"], 48 * 700);
}

TEST_F(PlanTest, ARunWithTheProposedLinesStaysWithinTheLimit) {
  const int64_t planned = plan_of("long.toml")["memory"]["peak"], base = plan_of("long.toml")["memory"]["base"];
  // Micro-batches of one longest pair, which is a half of max_length, would do for less: they must not be smaller.
  const int64_t limit = base + (planned - base) / 3;

  const Outcome fit = attune("plan long.toml --fit '" + std::to_string(limit / 1'000'000) + " MB'");
  ASSERT_EQ(fit.code, 0) << fit.text;
  write_file(folder.path / "fit.toml", "schema = 1\ninclude = [\"long.toml\"]\n" + fit.text);

  EXPECT_TRUE(has(fit.text, "tokens_per_batch = ")) << fit.text;
  EXPECT_LE(peak_of("fit.toml"), limit) << fit.text;
}

}  // namespace
}  // namespace attune::testing
