// SPDX-License-Identifier: Apache-2.0
// kill -9 at any instant. ATTUNE_KILLS=500 build/tests/faults_test --gtest_filter='KillNine.*' is the long version;
// ATTUNE_KILL_SEED draws other instants.
#include <gtest/gtest.h>

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "faults/tiny_run.h"

namespace attune::testing {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr int kSteps = 40, kEvery = 3;

int from_environment(const char* name, int otherwise) {
  const char* const value = std::getenv(name);
  return value ? std::atoi(value) : otherwise;
}

const std::vector<TinyMethod>& methods() {
  static const std::vector<TinyMethod> kMethods = {
      {.name = "sft", .algorithm = "use = \"sft\"", .columns = "prompt = \"question\", answer = \"better\""},
      {.name = "dpo"},
      {.name = "kto", .algorithm = "use = \"kto\""},
      {.name = "bco", .algorithm = "use = \"bco\""},
      {.name = "orpo", .algorithm = "use = \"orpo\""},
      {.name = "reward", .algorithm = "use = \"reward\""},
      {.name = "lora", .more = "[adapter]\nuse = \"lora\"\nrank = 4\n"},
      {.name = "tr_dpo", .more = "[reference]\nmode = \"live\"\nsync_every = 4\n"}};
  return kMethods;
}

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

/// All that a run leaves and that must not depend on how often it was killed.
std::string left_by(const fs::path& here) {
  const fs::path run = here / "runs/tiny";
  std::string all = stable_metrics(run / "metrics.jsonl");
  for (const auto& entry : fs::recursive_directory_iterator(run / "final")) {
    if (entry.path().extension() == ".safetensors") all += read_file(entry.path());
  }
  return all;
}

/// Where an instant lies.
enum class Moment { kAnywhere, kStarting, kSaving };

class KillNine : public ::testing::Test {
 protected:
  /// Whether the process is gone before the instant came.
  void wait_for(Attune& run, Moment moment, const fs::path& checkpoints, double seconds) {
    const auto uniform = [&](double limit) { return std::uniform_real_distribution<double>(0.0, limit)(random); };
    if (moment != Moment::kSaving) {
      std::this_thread::sleep_for(Seconds(uniform(moment == Moment::kStarting ? seconds / 3 : seconds)));
      return;
    }
    // Any of the saves: the staging folder of one is there for a few milliseconds.
    for (int skipped = int(uniform(6)); !run.ended();) {
      bool saving = false;
      std::error_code gone;
      for (fs::directory_iterator at(checkpoints, gone), end; !gone && at != end; at.increment(gone))
        saving |= at->path().filename().string().starts_with(".");
      if (saving && skipped-- <= 0) break;
      std::this_thread::sleep_for(Seconds(saving ? 0.005 : 0.0002));
    }
    std::this_thread::sleep_for(Seconds(uniform(0.004)));
  }

  std::mt19937 random{unsigned(from_environment("ATTUNE_KILL_SEED", 20240607))};
};

TEST_F(KillNine, AtRandomInstantsEndsWithTheBitsOfAStraightRun) {
  const int wanted = from_environment("ATTUNE_KILLS", 32);
  const TemporaryFolder folder;
  int points = 0, divergent = 0, saving = 0;
  for (size_t m = 0; m < methods().size(); ++m) {
    const TinyMethod& method = methods()[m];
    const auto manifest = [&](const std::string& name) {
      const fs::path here = folder.path / (method.name + name);
      fs::create_directories(here);
      return write_tiny_run(here, kSteps, kEvery, "", method);
    };
    const auto started = Clock::now();
    const fs::path straight = manifest("");
    Attune whole({"run", straight.string(), "--quiet"}, folder.path / "out.txt");
    ASSERT_EQ(whole.wait(), 0) << whole.printed();
    const double seconds = Seconds(Clock::now() - started).count();
    const std::string expected = left_by(straight.parent_path());
    ASSERT_GT(expected.size(), 10000u);

    const int until = int(int64_t(wanted) * int64_t(m + 1) / int64_t(methods().size()));
    for (int round = 0; points < until; ++round) {
      const fs::path here = manifest("-" + std::to_string(round)).parent_path();
      for (int kills = 0;; ++kills) {
        Attune run({"run", (here / "run.toml").string(), "--quiet"}, here / "out.txt");
        if (points < until && kills < 6) {
          const auto moment = Moment(points % 3);
          wait_for(run, moment, here / "runs/tiny/checkpoints", seconds);
          run.kill();
          const int status = run.wait();
          if (status == -SIGKILL) ++points, saving += moment == Moment::kSaving;
          ASSERT_TRUE(status == 0 || status == -SIGKILL) << run.printed();
          if (status == 0) break;
        } else {
          ASSERT_EQ(run.wait(), 0) << run.printed();
          break;
        }
      }
      const bool same = left_by(here) == expected;
      EXPECT_TRUE(same) << method.name << " round " << round;
      divergent += !same;
      fs::remove_all(here);
    }
  }
  std::cout << points << " kill points over " << methods().size() << " methods, " << saving << " of them inside a save, " << divergent << " divergent\n";
}

}  // namespace
}  // namespace attune::testing
