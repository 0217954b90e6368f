// SPDX-License-Identifier: Apache-2.0
// Runs with each optimizer, and with weights in 4 bits.
#include <gtest/gtest.h>

#include <sstream>
#include <thread>

#include "cli/shell.h"
#include "faults/tiny_run.h"
#include "kernel/host/json.h"

namespace attune::testing {
namespace {

class TinyRuns : public ::testing::Test {
 protected:
  /// A manifest of the tiny run; `optimizer` takes the place of `use = "adamw"`.
  std::string manifest(const std::string& name, const std::string& optimizer, int steps, int every = 0, const std::string& more = "") {
    write_tiny_run(folder.path, steps, every, more);
    std::string text = read_file(folder.path / "run.toml");
    text.replace(text.find("name = \"tiny\""), 13, "name = \"" + name + "\"");
    text.replace(text.find("use = \"adamw\""), 13, optimizer);
    write_file(folder.path / (name + ".toml"), text);
    return (folder.path / (name + ".toml")).string();
  }
  Outcome attune(const std::string& line) { return shell("cd '" + folder.path.string() + "' && attune " + line); }
  void run(const std::string& file) {
    const Outcome outcome = attune("run '" + file + "' --quiet");
    ASSERT_EQ(outcome.code, 0) << outcome.text;
  }
  std::string final_of(const std::string& name) { return read_file(folder.path / "runs" / name / "final/model.safetensors"); }
  /// A column of metrics.jsonl.
  std::vector<double> column(const std::string& run, const std::string& name) {
    std::istringstream rows(read_file(folder.path / "runs" / run / "metrics.jsonl"));
    std::vector<double> found;
    for (std::string line; std::getline(rows, line);) found.push_back(Json::parse(line).at(name));
    return found;
  }

  TemporaryFolder folder;
};

class EveryOptimizer : public TinyRuns, public ::testing::WithParamInterface<const char*> {};

TEST_P(EveryOptimizer, LearnsAndIsNotChangedByAnInterruption) {
  run(manifest("whole", GetParam(), 8, 2));
  const std::string file = manifest("cut", GetParam(), 8, 2);
  Attune first({"run", file, "--quiet"}, folder.path / "out.txt");
  while (!fs::exists(folder.path / "runs/cut/checkpoints/step-000004")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  first.kill();
  first.wait();
  run(file);

  EXPECT_TRUE(final_of("cut") == final_of("whole"));
  const std::vector<double> loss = column("whole", "loss");
  EXPECT_LT(loss.back(), loss.front());
}

INSTANTIATE_TEST_SUITE_P(Every, EveryOptimizer,
                         ::testing::Values("use = \"adamw\"\nstates = \"int8\"", "use = \"sgd\"\nmomentum = 0.9\nnesterov = true",
                                           "use = \"muon\"\nscale = \"match_rms_adamw\""),
                         [](const auto& info) { return std::string(info.index == 0 ? "adamw_int8" : info.index == 1 ? "sgd" : "muon"); });

TEST_F(TinyRuns, StatesOfEightBitsEndWithTheLossOfFloat32) {
  run(manifest("wide", "use = \"adamw\"", 40));
  run(manifest("narrow", "use = \"adamw\"\nstates = \"int8\"", 40));

  const std::vector<double> wide = column("wide", "loss"), narrow = column("narrow", "loss");
  double mean_wide = 0, mean_narrow = 0;
  for (size_t step = 30; step < 40; ++step) mean_wide += wide[step] / 10, mean_narrow += narrow[step] / 10;
  RecordProperty("wide", std::to_string(mean_wide));
  RecordProperty("narrow", std::to_string(mean_narrow));
  EXPECT_LT(mean_wide, 0.6 * wide[0]);
  EXPECT_NEAR(mean_narrow, mean_wide, 0.05 * wide[0]);
}

TEST_F(TinyRuns, UpdatesInTheBackwardPassEndWithTheSameBits) {
  for (const char* more : {"clip = 0.0\n", "clip = 0.0\nactivation_checkpointing = true\n"}) {
    run(manifest("after", "use = \"adamw\"", 3, 0, more));
    run(manifest("during", "use = \"adamw\"\nin_backward = true", 3, 0, more));

    EXPECT_TRUE(final_of("after") == final_of("during")) << more;
    EXPECT_EQ(column("after", "gradient_norm"), column("during", "gradient_norm"));
    fs::remove_all(folder.path / "runs");
  }
}

TEST_F(TinyRuns, UpdatesInTheBackwardPassRefuseStepsOfSeveralBatches) {
  const Outcome outcome = attune("run '" + manifest("split", "use = \"adamw\"\nin_backward = true", 3, 0, "clip = 0.0\ntokens_per_batch = 40\n") + "' --quiet");

  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(has(outcome.text, "optimizer.in_backward needs steps of one batch; step 1 has ")) << outcome.text;
}

TEST_F(TinyRuns, AdaptersOverFourBitWeightsLearnAndGoOnAfterAnInterruption) {
  const std::string adapter = "[adapter]\nuse = \"lora\"\nrank = 4\n";
  const auto packed = [&](const std::string& name) {
    const std::string file = manifest(name, "use = \"adamw\"", 6, 2, adapter);
    std::string text = read_file(file);
    text.replace(text.find("init = \"random\""), 15, "init = \"random\"\nquantize = \"nf4\"");
    write_file(file, text);
    return file;
  };
  run(packed("whole"));
  const std::string file = packed("cut");
  Attune first({"run", file, "--quiet"}, folder.path / "out.txt");
  while (!fs::exists(folder.path / "runs/cut/checkpoints/step-000002")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  first.kill();
  first.wait();
  run(file);
  run(manifest("wide", "use = \"adamw\"", 6, 2, adapter));

  EXPECT_TRUE(final_of("cut") == final_of("whole"));
  const std::vector<double> narrow = column("whole", "loss"), wide = column("wide", "loss");
  EXPECT_LT(narrow.back(), narrow.front());
  EXPECT_NE(narrow.back(), wide.back());
  EXPECT_NEAR(narrow.back(), wide.back(), 0.05 * wide.front());
}

}  // namespace
}  // namespace attune::testing
