// SPDX-License-Identifier: Apache-2.0
// What a reference says, computed ahead of runs, shared between them, and proven before it is used.
#include <gtest/gtest.h>

#include <map>

#include "cli/shell.h"
#include "faults/tiny_run.h"
#include "kernel/host/json.h"

namespace attune::testing {
namespace {

class ReferencesTest : public ::testing::Test {
 protected:
  void SetUp() override { write_tiny_run(folder.path, 3, 0); }
  Outcome attune(const std::string& line) { return shell("cd '" + folder.path.string() + "' && attune " + line); }
  /// Files of scores with the times of their last change.
  std::map<fs::path, fs::file_time_type> files() const {
    std::map<fs::path, fs::file_time_type> found;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder.path / "runs/cache/reference"))
      if (entry.path().extension() == ".safetensors") found[entry.path()] = entry.last_write_time();
    return found;
  }
  /// The states after each step.
  std::string hashes(const std::string& run) const {
    std::istringstream lines(read_file(folder.path / "runs" / run / "metrics.jsonl"));
    std::string all;
    for (std::string line; std::getline(lines, line);) all += Json::parse(line).at("state_hash").get<std::string>() + "\n";
    return all;
  }

  TemporaryFolder folder;
};

TEST_F(ReferencesTest, BuiltOnceServeEveryRunWithTheSameBits) {
  const Outcome run_alone = attune("run run.toml --quiet --set 'run.output=\"alone\"'");
  ASSERT_EQ(run_alone.code, 0) << run_alone.text;

  const Outcome built = attune("references build run.toml --quiet");

  ASSERT_EQ(built.code, 0) << built.text;
  EXPECT_TRUE(has(built.text, "tiny, train") && has(built.text, "12")) << built.text;  // 3 steps of 4 pairs.
  const auto before = files();
  ASSERT_EQ(before.size(), 1u);
  EXPECT_FALSE(fs::exists(folder.path / "runs/tiny")) << "nothing is trained";
  EXPECT_EQ(attune("run run.toml --quiet").code, 0);
  EXPECT_EQ(attune("run run.toml --quiet --set 'run.name=\"again\"'").code, 0);
  EXPECT_EQ(files(), before);
  EXPECT_EQ(hashes("tiny"), hashes("../alone/tiny"));
  EXPECT_EQ(hashes("again"), hashes("tiny"));
  const Outcome list = attune("references list runs/cache/reference");
  EXPECT_TRUE(has(list.text, "whole")) << list.text;
}

TEST_F(ReferencesTest, WithAFlippedBitAreNamedAndComputedAgain) {
  ASSERT_EQ(attune("references build run.toml --quiet").code, 0);
  const fs::path file = files().begin()->first;
  const std::string bytes = read_file(file);
  std::string other = bytes;
  other[other.size() - 3] = char(other[other.size() - 3] ^ 1);
  write_file(file, other);

  const Outcome list = attune("references list runs/cache/reference"), run = attune("run run.toml --quiet");

  EXPECT_TRUE(has(list.text, "damaged: " + file.filename().string())) << list.text;
  EXPECT_EQ(run.code, 0);
  EXPECT_TRUE(has(run.text, file.filename().string() + ": has other bytes than were written; its samples are scored again")) << run.text;
  EXPECT_EQ(read_file(file), bytes) << "the same scores under the same name";
}

TEST_F(ReferencesTest, ThatNoRunWantsAreRefused) {
  const Outcome live = attune("references build run.toml --set 'reference.mode=\"live\"'");

  EXPECT_EQ(live.code, 1);
  EXPECT_TRUE(has(live.text, "nothing to store")) << live.text;
  EXPECT_EQ(attune("references list nowhere").code, 1);
}

}  // namespace
}  // namespace attune::testing
