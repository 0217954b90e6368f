// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/statistics.h"

#include <gtest/gtest.h>

#include <vector>

namespace attune {
namespace {

TEST(Statistics, SharesHaveWilsonsInterval) {
  std::vector<double> values(10, 0.0);
  for (int i = 0; i < 8; ++i) values[size_t(i)] = 1.0;

  const Estimate found = estimate(values);

  // p = 0.8, n = 10, z = 1.95996: centre = (0.8 + 0.192073) / 1.384146 = 0.716740,
  // half = 1.416021 * sqrt(0.016 + 0.009604)... = 0.226578.
  EXPECT_TRUE(found.share);
  EXPECT_EQ(found.n, 10);
  EXPECT_DOUBLE_EQ(found.mean, 0.8);
  EXPECT_NEAR(found.low, 0.490162, 1e-5);
  EXPECT_NEAR(found.high, 0.943318, 1e-5);
}

TEST(Statistics, AShareOfAllStillHasALowerBoundBelowOne) {
  const std::vector<double> values(20, 1.0);

  const Estimate found = estimate(values);

  // n / (n + z^2) = 20 / 23.841459.
  EXPECT_NEAR(found.low, 0.838875, 1e-5);
  EXPECT_DOUBLE_EQ(found.high, 1.0);
}

TEST(Statistics, OtherNumbersHaveTheNormalInterval) {
  const std::vector<double> values = {1, 2, 3, 4};

  const Estimate found = estimate(values);

  // Variance 5/3, standard error sqrt(5/12) = 0.645497, times 1.959964.
  EXPECT_FALSE(found.share);
  EXPECT_DOUBLE_EQ(found.mean, 2.5);
  EXPECT_NEAR(found.high - found.mean, 1.265151, 1e-5);
  EXPECT_NEAR(found.mean - found.low, 1.265151, 1e-5);
}

TEST(Statistics, OneNumberHasAnIntervalOfNoWidth) {
  const std::vector<double> values = {2.5};

  const Estimate found = estimate(values);

  EXPECT_DOUBLE_EQ(found.low, 2.5);
  EXPECT_DOUBLE_EQ(found.high, 2.5);
}

}  // namespace
}  // namespace attune
