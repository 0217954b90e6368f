// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>

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

/// Runs until its metrics have some rows, then asks it to stop. A second time, if the first is not heard.
Outcome stopped(const fs::path& manifest, int signal, int rows) {
  Attune attune({"run", manifest.string(), "--quiet"}, manifest.parent_path() / "out.txt");
  const fs::path metrics = manifest.parent_path() / "runs/tiny/metrics.jsonl";
  while (!attune.ended() && std::ranges::count(read_file(metrics), '\n') < rows) usleep(500);
  attune.kill(signal);
  const int code = attune.wait();
  return {code, attune.printed()};
}

TEST(RunFaults, ASignalToStopSavesTheStepAndSaysSoByTheExitCode) {
  const TemporaryFolder folder;
  fs::create_directories(folder.path / "straight");
  ASSERT_EQ(run(write_tiny_run(folder.path / "straight", 120, 0)).code, 0);
  const std::string weights = read_file(folder.path / "straight/runs/tiny/final/model.safetensors");
  const fs::path manifest = write_tiny_run(folder.path, 120, 0);

  int rows = 5;
  for (const auto& [signal, name] : {std::pair(SIGTERM, "SIGTERM"), std::pair(SIGINT, "SIGINT"), std::pair(SIGUSR1, "SIGUSR1")}) {
    const Outcome outcome = stopped(manifest, signal, rows);

    ASSERT_EQ(outcome.code, 128 + signal) << outcome.printed;
    const auto last = std::ranges::count(read_file(folder.path / "runs/tiny/metrics.jsonl"), '\n');
    EXPECT_NE(outcome.printed.find(std::string("stopped by ") + name + " after step " + std::to_string(last) + ", which is saved"), std::string::npos)
        << outcome.printed;
    rows = int(last) + 5;
  }
  const Outcome done = run(manifest);
  EXPECT_EQ(done.code, 0) << done.printed;
  EXPECT_TRUE(read_file(folder.path / "runs/tiny/final/model.safetensors") == weights);
}

TEST(RunFaults, AFolderThatCannotBeWrittenIsNamedBeforeTraining) {
  const TemporaryFolder folder;
  const fs::path manifest = write_tiny_run(folder.path, 4, 2);
  std::string text = read_file(manifest);
  text.replace(text.find("\"runs\""), 6, "\"/proc/attune\"");  // Not even root writes there.
  write_file(manifest, text);

  const Outcome outcome = run(manifest);

  EXPECT_EQ(outcome.code, 7) << outcome.printed;
  EXPECT_NE(outcome.printed.find("/proc/attune"), std::string::npos) << outcome.printed;
}

TEST(RunFaults, ACorruptRowFarIntoTheDataIsNamedAndMayBeDropped) {
  const TemporaryFolder folder;
  const fs::path manifest = write_tiny_run(folder.path, 2, 0);
  std::string rows;
  for (int i = 1; i <= 12000; ++i) {
    rows += i == 10007 ? "{\"question\": \"Say\", \"better\": \"It is\n"
                       : "{\"question\": \"Say " + std::to_string(i) + "\", \"better\": \"Yes.\", \"worse\": \"No\"}\n";
  }
  write_file(folder.path / "pairs.jsonl", rows);

  const Outcome refused = run(manifest);

  EXPECT_EQ(refused.code, 6) << refused.printed;
  EXPECT_NE(refused.printed.find("pairs.jsonl row 10007: "), std::string::npos) << refused.printed;
  EXPECT_NE(refused.printed.find("max_dropped = "), std::string::npos) << refused.printed;
  std::string text = read_file(manifest);
  text.insert(text.find("columns = "), "max_dropped = 0.001\n");
  write_file(manifest, text);
  const Outcome dropped = run(manifest);
  EXPECT_EQ(dropped.code, 0) << dropped.printed;
  EXPECT_NE(dropped.printed.find("pairs.jsonl row 10007 is dropped: "), std::string::npos) << dropped.printed;
}

TEST(RunFaults, ARowThatFailsInAStreamStopsAtItsStepAndTheRunGoesOnWhereItMayBeDropped) {
  const TemporaryFolder folder;
  std::string weights;
  for (const bool straight : {true, false}) {
    const fs::path here = folder.path / (straight ? "straight" : "stopped");
    fs::create_directories(here);
    const fs::path manifest = write_tiny_run(here, 6, 1, "shuffle = false\n", {.more = "[reference]\nmode = \"live\"\n"});
    std::string text = read_file(manifest), rows;
    text.insert(text.find("columns = "), "stream = true\n");
    text.replace(text.find("samples_per_step = 4"), 20, "samples_per_step = 64");
    const std::string some = read_file(here / "pairs.jsonl");
    for (int i = 0; i < 20; ++i) rows += some;
    size_t at = 0;
    for (int row = 1; row < 300; ++row) at = rows.find('\n', at) + 1;
    rows[at] = '[';  // Row 300 belongs to step 5; the plan looks at the first 256.
    write_file(here / "pairs.jsonl", rows);
    write_file(manifest, text);
    const Outcome outcome = straight ? Outcome{} : run(manifest);
    if (!straight) {
      EXPECT_EQ(outcome.code, 6) << outcome.printed;
      EXPECT_NE(outcome.printed.find("pairs.jsonl row 300: "), std::string::npos) << outcome.printed;
      EXPECT_TRUE(fs::exists(here / "runs/tiny/checkpoints/step-000004"));
    }
    text.insert(text.find("columns = "), "max_dropped = 0.1\n");
    write_file(manifest, text);
    const Outcome dropped = run(manifest);
    EXPECT_EQ(dropped.code, 0) << dropped.printed;
    const std::string made = read_file(here / "runs/tiny/final/model.safetensors");
    if (straight) weights = made;
    EXPECT_TRUE(made == weights);
    EXPECT_EQ(std::ranges::count(read_file(here / "runs/tiny/metrics.jsonl"), '\n'), 6);
  }
}

TEST(RunFaults, AClockThatWentBackLosesNothing) {
  const TemporaryFolder folder;
  const fs::path manifest = write_tiny_run(folder.path, 60, 3);
  ASSERT_EQ(stopped(manifest, SIGTERM, 20).code, 143);
  const auto rows = std::ranges::count(read_file(folder.path / "runs/tiny/metrics.jsonl"), '\n');
  // All that the run wrote lies ten years ahead.
  for (const auto& entry : fs::recursive_directory_iterator(folder.path / "runs"))
    fs::last_write_time(entry.path(), fs::file_time_type::clock::now() + std::chrono::hours(24 * 3650));

  Attune again({"run", manifest.string()}, folder.path / "out.txt");

  EXPECT_EQ(again.wait(), 0) << again.printed();
  EXPECT_NE(again.printed().find("resuming from " + (folder.path / "runs/tiny/checkpoints").string()), std::string::npos) << again.printed();
  EXPECT_NE(again.printed().find("step-0000" + std::to_string(rows)), std::string::npos) << again.printed();
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
  const fs::path manifest = write_tiny_run(folder.path, 12, 3), model = folder.path / "model";
  fs::copy(fs::path(ATTUNE_SOURCE_DIR) / "configs/tiny/model", model);
  std::string config = read_file(model / "config.json"), text = read_file(manifest);
  config.replace(config.find("\"hidden_size\": 64"), 17, "\"hidden_size\": 384");
  write_file(model / "config.json", config);
  const std::string tiny = std::string(ATTUNE_SOURCE_DIR) + "/configs/tiny/model";
  text.replace(text.find(tiny), tiny.size(), model.string());
  write_file(manifest, text);
  ASSERT_EQ(run(manifest).code, 0);
  const std::string weights = read_file(folder.path / "runs/tiny/final/model.safetensors");
  fs::remove_all(folder.path / "runs");

  // A limit on the size of files stands in for a disk that fills. It is above that of plugins, whose checked bytes are
  // files in memory, and below that of a checkpoint.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_IGN);
  for (const rlim_t bytes : {8 << 20, 12 << 20}) {
    const rlimit small{bytes, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const Outcome full = run(manifest);
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(full.code, 7) << bytes << full.printed;
    EXPECT_NE(full.printed.find((folder.path / "runs").string()), std::string::npos) << bytes << full.printed;
  }
  const Outcome later = run(manifest);
  EXPECT_EQ(later.code, 0) << later.printed;
  EXPECT_TRUE(read_file(folder.path / "runs/tiny/final/model.safetensors") == weights);
}

}  // namespace
}  // namespace attune::testing
