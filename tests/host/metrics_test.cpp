// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/metrics.h"

#include <gtest/gtest.h>

#include "host/scratch_folder.h"

namespace attune::testing {
namespace {

TEST(Metrics, EveryRowIsInTheFileAtOnce) {
  const ScratchFolder folder;
  MetricsFile metrics(folder / "metrics.jsonl");

  metrics.write(1, {{"loss", 0.5}});
  const std::string after_one = read(folder / "metrics.jsonl");
  metrics.write(2, {{"loss", 0.25}, {"tokens", 12}});

  EXPECT_EQ(after_one, "{\"step\":1,\"loss\":0.5}\n");
  EXPECT_EQ(read(folder / "metrics.jsonl"),
            after_one + "{\"step\":2,\"loss\":0.25,\"tokens\":12}\n");
}

TEST(Metrics, RewindDropsLaterRowsAndATornLastOne) {
  const ScratchFolder folder;
  write(folder / "metrics.jsonl", "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n{\"step\":4,\"lo");
  MetricsFile metrics(folder / "metrics.jsonl");

  metrics.rewind(2);
  metrics.write(3, Json::object());

  EXPECT_EQ(read(folder / "metrics.jsonl"), "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n");
}

TEST(Metrics, RewindDropsATornRowThatIsCompleteJson) {
  const ScratchFolder folder;
  write(folder / "metrics.jsonl", "{\"step\":1}\n{\"step\":2}");
  MetricsFile metrics(folder / "metrics.jsonl");

  metrics.rewind(2);

  EXPECT_EQ(read(folder / "metrics.jsonl"), "{\"step\":1}\n");
}

TEST(Metrics, RewindFindsItsRowFarFromTheEnd) {
  const ScratchFolder folder;
  std::string text, kept;
  for (int step = 1; step <= 3000; ++step) {
    text += Json{{"step", step}, {"note", std::string(size_t(step % 300), 'x')}}.dump() + "\n";
    if (step <= 17) kept = text;
  }
  for (const int step : {17, 0, 3000, 5000}) {
    write(folder / "metrics.jsonl", text);

    MetricsFile(folder / "metrics.jsonl").rewind(step);

    EXPECT_EQ(read(folder / "metrics.jsonl"), step == 17 ? kept : step == 0 ? "" : text) << step;
  }
}

TEST(Metrics, RewindWorksOnAnOpenFile) {
  const ScratchFolder folder;
  MetricsFile metrics(folder / "metrics.jsonl");
  metrics.write(1, Json::object());
  metrics.write(2, Json::object());

  metrics.rewind(0);
  metrics.write(1, {{"again", true}});

  EXPECT_EQ(read(folder / "metrics.jsonl"), "{\"step\":1,\"again\":true}\n");
}

TEST(Metrics, RewindWithoutAFileDoesNothing) {
  const ScratchFolder folder;
  MetricsFile metrics(folder / "metrics.jsonl");

  metrics.rewind(5);

  EXPECT_FALSE(std::filesystem::exists(folder / "metrics.jsonl"));
}

TEST(Metrics, AFullDiskIsAnErrorThatNamesTheStep) {
  MetricsFile metrics("/dev/full");

  try {
    metrics.write(7, Json::object());
    FAIL() << "expected an error";
  } catch (const ExitError& error) {
    EXPECT_EQ(error.exit(), Exit::kRunFailed);
    EXPECT_NE(std::string(error.what()).find("step 7"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace attune::testing
