// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/metric_log.h"

#include <gtest/gtest.h>

#include <cmath>

#include "host/scratch_folder.h"
#include "kernel/host/services/metrics.h"

namespace attune::testing {
namespace {

class MetricLogTest : public ::testing::Test {
 protected:
  void append(const std::string& text) {
    std::ofstream(folder / "metrics.jsonl", std::ios::binary | std::ios::app) << text;
  }
  std::vector<double> losses() const {
    std::vector<double> values;
    for (const auto& [step, value] : log.curve("loss")) values.push_back(value);
    return values;
  }

  ScratchFolder folder;
  MetricLog log{folder / "metrics.jsonl"};
};

TEST_F(MetricLogTest, FollowsAppendedBytesAndWaitsForTheEndOfALine) {
  EXPECT_FALSE(log.refresh());  // No file yet.
  append("{\"step\":1,\"loss\":0.5}\n{\"step\":2,\"lo");

  EXPECT_TRUE(log.refresh());
  EXPECT_EQ(losses(), std::vector<double>{0.5});
  EXPECT_FALSE(log.refresh());

  append("ss\":0.25}\n");
  EXPECT_TRUE(log.refresh());
  EXPECT_EQ(losses(), (std::vector<double>{0.5, 0.25}));
  EXPECT_EQ(log.step(), 2);
}

TEST_F(MetricLogTest, ARewoundFileIsReadAnew) {
  append("{\"step\":1,\"loss\":3}\n{\"step\":2,\"loss\":2}\n{\"step\":3,\"loss\":1}\n");
  log.refresh();
  MetricsFile(folder / "metrics.jsonl").rewind(1);
  append("{\"step\":2,\"loss\":20}\n{\"step\":3,\"loss\":10}\n{\"step\":4,\"loss\":5}\n");

  EXPECT_TRUE(log.refresh());

  EXPECT_EQ(losses(), (std::vector<double>{3, 20, 10, 5}));
}

TEST_F(MetricLogTest, AFileOfTheSameInodeAndAnotherTextIsReadAnew) {
  append("{\"step\":1,\"loss\":3}\n");
  log.refresh();
  write(folder / "metrics.jsonl", "{\"step\":1,\"loss\":4}\n{\"step\":2,\"loss\":5}\n");

  EXPECT_TRUE(log.refresh());

  EXPECT_EQ(losses(), (std::vector<double>{4, 5}));
}

TEST_F(MetricLogTest, ARemovedFileLeavesNothing) {
  append("{\"step\":1,\"loss\":3}\n");
  log.refresh();
  std::filesystem::remove(folder / "metrics.jsonl");

  EXPECT_TRUE(log.refresh());

  EXPECT_EQ(log.rows(), 0);
  EXPECT_FALSE(log.step());
}

TEST_F(MetricLogTest, AStepThatComesAgainReplacesTheLaterOnes) {
  append(
      "{\"step\":1,\"loss\":3,\"state_hash\":\"a\"}\n{\"step\":2,\"loss\":2,\"state_hash\":\"b\"}"
      "\n");
  append("{\"step\":2,\"loss\":7,\"state_hash\":\"c\"}\n");
  log.refresh();

  EXPECT_EQ(losses(), (std::vector<double>{3, 7}));
  EXPECT_EQ(log.texts("state_hash"), (std::map<int64_t, std::string>{{1, "a"}, {2, "c"}}));
}

TEST_F(MetricLogTest, LinesThatAreNoRowsAreCountedAndNullIsNotFinite) {
  append("{\"step\":1,\"loss\":NaN}\n[1]\n{\"loss\":1}\n{\"step\":1,\"loss\":1e999}\n");
  append("{\"step\":2,\"loss\":null,\"ok\":true,\"tags\":[1]}\n");
  log.refresh();

  EXPECT_EQ(log.unreadable(), 4);
  EXPECT_EQ(log.rows(), 1);
  EXPECT_TRUE(std::isnan(*log.newest("loss")));
  EXPECT_EQ(log.newest("ok"), 1.0);
  EXPECT_FALSE(log.newest("tags"));
}

TEST_F(MetricLogTest, TheEndOfALongFileIsEnoughForItsNewestRows) {
  for (int step = 1; step <= 1000; ++step)
    append("{\"step\":" + std::to_string(step) + ",\"loss\":" + std::to_string(step) + "}\n");
  log.refresh(100);

  EXPECT_EQ(log.step(), 1000);
  EXPECT_LT(log.rows(), 6);
  EXPECT_EQ(log.unreadable(), 0);
}

}  // namespace
}  // namespace attune::testing
