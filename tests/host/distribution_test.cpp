// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/distribution.h"

#include <gtest/gtest.h>

#include <random>

namespace attune {
namespace {

Distribution of(const std::vector<int64_t>& values) {
  Distribution made;
  for (const int64_t value : values) made.add(value);
  return made;
}

TEST(Distribution, QuantilesAreValuesThatWereThere) {
  const Distribution made = of({5, 1, 3, 2, 4});

  EXPECT_EQ(made.quantile(0.5), 3);
  EXPECT_EQ(made.quantile(0.2), 1);
  EXPECT_EQ(made.quantile(0.21), 2);
  EXPECT_EQ(made.quantile(1), 5);
  EXPECT_EQ(of({}).quantile(0.5), 0);
  EXPECT_EQ(made.json()["mean"], 3.0);
}

TEST(Distribution, BinsHoldEveryValueOnceAndJoin) {
  std::minstd_rand dice(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<int64_t> values(1 + dice() % 300);
    for (int64_t& value : values) value = int64_t(dice() % (1 + dice() % 3000));
    if (round % 5 == 0) values.push_back(1000000);
    const auto bins = of(values).bins();

    ASSERT_LE(bins.size(), 12u);
    int64_t total = 0;
    for (size_t i = 0; i < bins.size(); ++i) {
      total += bins[i].count;
      if (i > 0) {
        EXPECT_EQ(bins[i].low, bins[i - 1].high + 1);
      }
      int64_t inside = 0;
      for (const int64_t value : values) inside += value >= bins[i].low && value <= bins[i].high;
      EXPECT_EQ(inside, bins[i].count);
    }
    EXPECT_EQ(total, int64_t(values.size()));
  }
}

TEST(Distribution, BarsAreAsLongAsTheirCounts) {
  const Json bins = {{0, 9, 4}, {10, 19, 2}, {20, 137, 0}};

  EXPECT_EQ(bars(bins, 4), "     0-9  ████ 4\n   10-19  ██ 2\n  20-137  0\n");
  const std::string svg = svg_bars(bins);
  EXPECT_NE(svg.find("width=\"380\""), std::string::npos);
  EXPECT_NE(svg.find("width=\"190\""), std::string::npos);
}

}  // namespace
}  // namespace attune
