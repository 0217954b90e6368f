// SPDX-License-Identifier: Apache-2.0
// Whole runs on CUDA.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <thread>

#include "cli/shell.h"
#include "cuda/device.h"
#include "faults/tiny_run.h"
#include "kernel/host/json.h"

namespace attune::testing {
namespace {

const fs::path kConfigs = ATTUNE_SOURCE_DIR "/configs";

/// All but those with weights in 4 bits, which are read on the CPU.
std::vector<std::string> recipes() {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(kConfigs / "recipes")) {
    if (!has(read_file(entry.path()), "quantize")) found.push_back(entry.path().stem());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<double> column(const fs::path& run, const std::string& name) {
  std::istringstream rows(read_file(run / "metrics.jsonl"));
  std::vector<double> found;
  for (std::string line; std::getline(rows, line);) found.push_back(Json::parse(line).at(name));
  return found;
}

class RecipeOnCuda : public ::testing::TestWithParam<std::string> {};

TEST_P(RecipeOnCuda, HasTheLossesOfTheCpu) {
  const TemporaryFolder folder;
  const std::string manifest = (kConfigs / "recipes" / (GetParam() + ".toml")).string();
  const bool teacher = has(read_file(manifest), "[reference]");
  const auto losses = [&](const std::string& device, const std::string& dtype) {
    const fs::path output = folder.path / (device + dtype);
    const Outcome outcome = shell("attune run '" + manifest + "' --quiet --set 'model.path=\"" + (kConfigs / "tiny/model").string() + "\"' " +
                                  (teacher ? "--set 'reference.path=\"\"' " : "") + "--set 'model.init=\"random\"' --set train.steps=3 --set 'model.dtype=\"" + dtype +
                                  "\"' --set 'run.device=\"" + device + "\"' --set 'run.output=\"" + output.string() + "\"'");
    EXPECT_EQ(outcome.code, 0) << outcome.text;
    return outcome.code == 0 ? column(output / GetParam(), "loss") : std::vector<double>();
  };
  const std::vector<double> expected = losses("cpu", "float32"), wide = losses("cuda", "float32"), half = losses("cuda", "bfloat16");

  ASSERT_EQ(expected.size(), 3u);
  ASSERT_EQ(wide.size(), 3u);
  ASSERT_EQ(half.size(), 3u);
  for (size_t step = 0; step < 3; ++step) {
    EXPECT_NEAR(wide[step], expected[step], 1e-4 * std::max(1.0, std::abs(expected[step]))) << step;
    EXPECT_NEAR(half[step], expected[step], 5e-2 * std::max(1.0, std::abs(expected[step]))) << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Every, RecipeOnCuda, ::testing::ValuesIn(on_cuda(recipes())), [](const auto& info) { return info.param; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(RecipeOnCuda);

class RunsOnCuda : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_cuda()) GTEST_SKIP() << "no CUDA device here";
  }
  /// The tiny run under a name of its own, on the device.
  std::string manifest(const std::string& name, const std::string& dtype, int steps) {
    write_tiny_run(folder.path, steps, 2);
    std::string text = read_file(folder.path / "run.toml");
    text.replace(text.find("name = \"tiny\""), 13, "name = \"" + name + "\"\ndevice = \"cuda\"");
    text.replace(text.find("init = "), 7, "dtype = \"" + dtype + "\"\ninit = ");
    write_file(folder.path / (name + ".toml"), text);
    return (folder.path / (name + ".toml")).string();
  }
  Outcome attune(const std::string& line) { return shell("cd '" + folder.path.string() + "' && attune " + line); }
  fs::path run(const std::string& name) { return folder.path / "runs" / name; }

  TemporaryFolder folder;
};

TEST_F(RunsOnCuda, AreNotChangedByAnInterruption) {
  for (const std::string dtype : {"float32", "bfloat16"}) {
    const Outcome straight = attune("run '" + manifest("whole-" + dtype, dtype, 12) + "' --quiet");
    ASSERT_EQ(straight.code, 0) << straight.text;
    const std::string file = manifest("cut-" + dtype, dtype, 12);
    Attune first({"run", file, "--quiet"}, folder.path / "out.txt");
    while (!fs::exists(run("cut-" + dtype) / "checkpoints/step-000004") && !first.ended()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    first.kill();
    first.wait();
    const Outcome resumed = attune("run '" + file + "' --quiet");
    ASSERT_EQ(resumed.code, 0) << resumed.text;

    const std::string weights = "final/model.safetensors";
    EXPECT_TRUE(read_file(run("cut-" + dtype) / weights) == read_file(run("whole-" + dtype) / weights)) << dtype;
    const std::vector<double> loss = column(run("whole-" + dtype), "loss");
    EXPECT_LT(loss.back(), loss.front());
    EXPECT_GT(column(run("whole-" + dtype), "device_memory_mb").back(), 0);
  }
}

TEST_F(RunsOnCuda, WriteAndScoreAsOnTheCpu) {
  const Outcome trained = attune("run '" + manifest("whole", "float32", 12) + "' --quiet");
  ASSERT_EQ(trained.code, 0) << trained.text;
  const std::string model = (run("whole") / "final").string();
  write_file(folder.path / "prompts.jsonl", "{\"text\": \"Say 1\"}\n{\"text\": \"Say 2 and 3\"}\n");
  const auto written = [&](const std::string& device) {
    const Outcome outcome = attune("generate '" + model + "' --input prompts.jsonl --output " + device + ".jsonl --quiet --max-tokens 24 --device " + device);
    EXPECT_EQ(outcome.code, 0) << outcome.text;
    std::istringstream rows(read_file(folder.path / (device + ".jsonl")));
    std::vector<Json> ids;
    for (std::string line; std::getline(rows, line);) ids.push_back(Json::parse(line).at("ids"));
    return ids;
  };
  const std::vector<Json> expected = written("cpu");
  ASSERT_EQ(expected.size(), 2u);
  EXPECT_EQ(written("cuda"), expected);
}

}  // namespace
}  // namespace attune::testing
