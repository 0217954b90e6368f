// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "faults/tiny_run.h"

namespace attune::testing {
namespace {

struct Outcome {
  int code;
  std::string printed;
};

Outcome run(const fs::path& manifest) {
  Attune attune({"run", manifest.string(), "--quiet"}, manifest.parent_path() / "out.txt");
  const int code = attune.wait();
  return {code, attune.printed()};
}

TEST(RunFaults, ADamagedCheckpointIsNamedAndTheOlderOneUsed) {
  const TemporaryFolder folder;
  const fs::path manifest = write_tiny_run(folder.path, 12, 3);
  ASSERT_EQ(run(manifest).code, 0);
  const std::string weights = read_file(folder.path / "runs/tiny/final/model.safetensors");
  const fs::path newest = folder.path / "runs/tiny/checkpoints/step-000012/state.safetensors";
  std::string bytes = read_file(newest);
  bytes[bytes.size() / 2] ^= 1;
  write_file(newest, bytes);
  for (const char* done : {"record.toml", "done.json"}) fs::remove(folder.path / "runs/tiny" / done);
  fs::remove_all(folder.path / "runs/tiny/final");

  const Outcome again = run(manifest);

  EXPECT_EQ(again.code, 0) << again.printed;
  EXPECT_NE(again.printed.find("step-000012 is damaged"), std::string::npos) << again.printed;
  EXPECT_TRUE(read_file(folder.path / "runs/tiny/final/model.safetensors") == weights);
}

TEST(RunFaults, ARowThatDoesNotMapIsNamedBeforeTraining) {
  const TemporaryFolder folder;
  const fs::path manifest = write_tiny_run(folder.path, 4, 2);
  write_file(folder.path / "pairs.jsonl", read_file(folder.path / "pairs.jsonl") + "{\"question\": \"Q\", \"better\": \"A\"}\n");

  const Outcome outcome = run(manifest);

  EXPECT_EQ(outcome.code, 6) << outcome.printed;
  EXPECT_NE(outcome.printed.find("pairs.jsonl"), std::string::npos) << outcome.printed;
  EXPECT_NE(outcome.printed.find("worse"), std::string::npos) << outcome.printed;
}

TEST(RunFaults, ALossThatIsNotFiniteStopsWithTheStep) {
  const TemporaryFolder folder;
  const fs::path manifest = write_tiny_run(folder.path, 40, 2);
  std::string text = read_file(manifest);
  text.replace(text.find("1e-3"), 4, "1e30");
  write_file(manifest, text);

  const Outcome outcome = run(manifest);

  EXPECT_EQ(outcome.code, 7) << outcome.printed;
  EXPECT_NE(outcome.printed.find("step "), std::string::npos) << outcome.printed;
  EXPECT_NE(outcome.printed.find("learning_rate"), std::string::npos) << outcome.printed;
}

TEST(RunFaults, AnotherManifestDoesNotContinueThisRun) {
  const TemporaryFolder folder;
  const fs::path manifest = write_tiny_run(folder.path, 4, 2);
  ASSERT_EQ(run(manifest).code, 0);
  std::string text = read_file(manifest);
  text.replace(text.find("1e-3"), 4, "2e-3");
  write_file(manifest, text);

  const Outcome outcome = run(manifest);

  EXPECT_NE(outcome.code, 0);
  EXPECT_NE(outcome.printed.find("another"), std::string::npos) << outcome.printed;
}

TEST(RunFaults, AFullDiskKeepsTheLastCheckpointAndTheRunGoesOnLater) {
  const TemporaryFolder folder;
  const fs::path manifest = write_tiny_run(folder.path, 12, 3);
  ASSERT_EQ(run(manifest).code, 0);
  const std::string weights = read_file(folder.path / "runs/tiny/final/model.safetensors");
  fs::remove_all(folder.path / "runs");

  // A limit on the size of files stands in for a disk that fills: the first tensor file does not fit.
  rlimit before{}, small{};
  getrlimit(RLIMIT_FSIZE, &before);
  small = {64 << 10, before.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const Outcome full = run(manifest);
  setrlimit(RLIMIT_FSIZE, &before);

  EXPECT_EQ(full.code, 7) << full.printed;
  EXPECT_NE(full.printed.find("safetensors"), std::string::npos) << full.printed;
  const Outcome later = run(manifest);
  EXPECT_EQ(later.code, 0) << later.printed;
  EXPECT_TRUE(read_file(folder.path / "runs/tiny/final/model.safetensors") == weights);
}

}  // namespace
}  // namespace attune::testing
