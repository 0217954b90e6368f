// SPDX-License-Identifier: Apache-2.0
// Runs that train adapters: what they leave, how it is used again, and that an interruption changes
// nothing.
#include <gtest/gtest.h>

#include <sstream>
#include <thread>

#include "cli/shell.h"
#include "faults/tiny_run.h"
#include "kernel/host/json.h"

namespace attune::testing {
namespace {

class AdapterRun : public ::testing::TestWithParam<const char*> {
 protected:
  /// The base that adapters are trained on: random weights, written by a run of one step.
  void SetUp() override {
    write_tiny_run(folder.path, 1, 0);
    ASSERT_EQ(attune("run run.toml --quiet --set 'run.name=\"base\"'").code, 0);
    base = (folder.path / "runs/base/final").string();
  }
  std::string manifest(const std::string& name, const std::string& adapter, int steps = 4,
                       int every = 0) {
    write_tiny_run(folder.path, steps, every, "[adapter]\nrank = 4\n" + adapter + "\n");
    std::string text = read_file(folder.path / "run.toml");
    text.replace(text.find("name = \"tiny\""), 13, "name = \"" + name + "\"");
    const size_t at = text.find("path = \""), end = text.find("\"\ninit = \"random\"\n");
    text.replace(at, end + 18 - at, "path = \"" + base + "\"\n");
    write_file(folder.path / (name + ".toml"), text);
    return (folder.path / (name + ".toml")).string();
  }
  Outcome attune(const std::string& line) {
    return shell("cd '" + folder.path.string() + "' && attune " + line);
  }
  std::vector<double> logprobs(const std::string& model) {
    const Outcome outcome =
        attune("score '" + model + "' --text 'Say 3: it is so.' --output out.jsonl");
    EXPECT_EQ(outcome.code, 0) << outcome.text;
    const Json row = Json::parse(read_file(folder.path / "out.jsonl"));
    std::vector<double> found;
    for (const Json& value : row.at("logprobs")) {
      if (value.is_number()) found.push_back(value);
    }
    return found;
  }

  TemporaryFolder folder;
  std::string base;
};

TEST_P(AdapterRun, MergedUnmergedAndGoingOn) {
  const std::string use = GetParam();
  const Outcome merged = attune("run " + manifest("merged", use) + " --quiet"),
                apart = attune("run " + manifest("apart", use + "\nmerge = false") + " --quiet");
  ASSERT_EQ(merged.code, 0) << merged.text;
  ASSERT_EQ(apart.code, 0) << apart.text;

  const std::string runs = folder.path.string() + "/runs/";
  EXPECT_EQ(read_file(runs + "merged/adapter/adapter_model.safetensors"),
            read_file(runs + "apart/final/adapter_model.safetensors"));
  const auto a = logprobs(runs + "merged/final"), b = logprobs(runs + "apart/final"),
             before = logprobs(base);
  ASSERT_EQ(a.size(), b.size());
  double change = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i], b[i], 1e-5);
    change = std::max(change, std::abs(a[i] - before[i]));
  }
  EXPECT_GT(change, 1e-3);

  // From the saved adapter a run goes on where it was: its first loss is not that of a fresh one,
  // log 2.
  ASSERT_EQ(
      attune("run " + manifest("on", use + "\npath = \"runs/merged/adapter\"", 1) + " --quiet")
          .code,
      0);
  const auto first_loss = [&](const std::string& run) {
    return Json::parse(read_file(runs + run + "/metrics.jsonl")
                           .substr(0, read_file(runs + run + "/metrics.jsonl").find('\n')))["loss"]
        .get<double>();
  };
  EXPECT_NEAR(first_loss("merged"), std::log(2), 1e-5);
  EXPECT_LT(first_loss("on"), std::log(2) - 1e-4);
}

TEST_P(AdapterRun, AnInterruptionChangesNoBit) {
  const std::string use = GetParam();
  ASSERT_EQ(attune("run " + manifest("whole", use, 8, 2) + " --quiet").code, 0);
  const std::string file = manifest("cut", use, 8, 2);
  Attune first({"run", file, "--quiet"}, folder.path / "out.txt");
  while (!fs::exists(folder.path / "runs/cut/checkpoints/step-000004"))
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  first.kill();
  first.wait();
  ASSERT_EQ(attune("run " + file + " --quiet").code, 0);

  for (const char* name : {"final/model.safetensors", "adapter/adapter_model.safetensors"}) {
    EXPECT_EQ(read_file(folder.path / "runs/cut" / name),
              read_file(folder.path / "runs/whole" / name))
        << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Every, AdapterRun,
                         ::testing::Values("use = \"lora\"", "use = \"dora\"",
                                           "use = \"lora\"\nrank_stabilised = true\nb_rate = 4"),
                         [](const auto& info) {
                           return std::string(info.index == 0   ? "lora"
                                              : info.index == 1 ? "dora"
                                                                : "rslora_plus");
                         });

}  // namespace
}  // namespace attune::testing
