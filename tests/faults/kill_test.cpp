// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "faults/tiny_run.h"

namespace attune::testing {
namespace {

/// The metrics that are a function of the run, not of the clock; steps must come without a gap or a double.
std::string stable_metrics(const fs::path& file) {
  std::istringstream lines(read_file(file));
  std::string text, line;
  int64_t expected = 1;
  while (std::getline(lines, line)) {
    nlohmann::ordered_json row = nlohmann::ordered_json::parse(line);
    EXPECT_EQ(row.at("step").get<int64_t>(), expected++);
    for (const char* key : {"tokens_per_s", "seconds", "memory_mb", "time", "wall_time"}) row.erase(key);
    text += row.dump() + "\n";
  }
  return text;
}

TEST(KillNine, AtRandomInstantsEndsWithTheBitsOfAStraightRun) {
  constexpr int kKills = 30, kSteps = 60;
  const TemporaryFolder folder;
  fs::create_directories(folder.path / "straight");
  const auto started = std::chrono::steady_clock::now();
  Attune straight({"run", write_tiny_run(folder.path / "straight", kSteps, 3).string(), "--quiet"}, folder.path / "out.txt");
  ASSERT_EQ(straight.wait(), 0) << straight.printed();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  const std::string weights = read_file(folder.path / "straight/runs/tiny/final/model.safetensors");
  const std::string metrics = stable_metrics(folder.path / "straight/runs/tiny/metrics.jsonl");
  ASSERT_FALSE(weights.empty());

  std::mt19937 random(20240607);
  std::uniform_real_distribution<double> instant(0.0, seconds);
  int kills = 0;
  for (int round = 0; kills < kKills; ++round) {
    const fs::path here = folder.path / ("killed-" + std::to_string(round));
    fs::create_directories(here);
    const fs::path manifest = write_tiny_run(here, kSteps, 3);
    for (;;) {
      Attune run({"run", manifest.string(), "--quiet"}, here / "out.txt");
      if (kills < kKills) {
        std::this_thread::sleep_for(std::chrono::duration<double>(instant(random)));
        run.kill();
      }
      const int status = run.wait();
      if (status == 0) break;
      ASSERT_EQ(status, -SIGKILL) << run.printed();
      ++kills;
    }
    EXPECT_TRUE(read_file(here / "runs/tiny/final/model.safetensors") == weights) << "round " << round;
    EXPECT_EQ(stable_metrics(here / "runs/tiny/metrics.jsonl"), metrics) << "round " << round;
  }
}

}  // namespace
}  // namespace attune::testing
