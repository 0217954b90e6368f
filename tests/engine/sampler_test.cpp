// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

namespace attune {
namespace {

// Probabilities 0.5, 0.25, 0.125, 0.125.
const std::vector<float> kLogits = {std::log(0.5f), std::log(0.25f), std::log(0.125f), std::log(0.125f)};

std::map<int64_t, double> shares(const Sampling& sampling) {
  std::map<int64_t, double> counts;
  constexpr int kDraws = 1000;
  for (int i = 0; i < kDraws; ++i) counts[sample(kLogits, sampling, (i + 0.5) / kDraws).id] += 1.0 / kDraws;
  return counts;
}

TEST(Sampler, TakesTheLikeliestTokenAtTemperatureZero) {
  const Sampled token = sample(kLogits, {.temperature = 0}, 0.99);

  EXPECT_EQ(token.id, 0);
  EXPECT_NEAR(token.logprob, std::log(0.5), 1e-6);
}

TEST(Sampler, DrawsInProportionToTheModel) {
  const auto drawn = shares({.temperature = 1});

  EXPECT_NEAR(drawn.at(0), 0.5, 2e-3);
  EXPECT_NEAR(drawn.at(3), 0.125, 2e-3);
}

TEST(Sampler, SharpensByTemperature) {
  // Squared and normalised: 0.25, 0.0625, 0.015625 twice, over 0.34375.
  EXPECT_NEAR(shares({.temperature = 0.5}).at(0), 0.25 / 0.34375, 2e-3);
}

TEST(Sampler, KeepsOnlyTheTopK) {
  const auto drawn = shares({.temperature = 1, .top_k = 2});

  EXPECT_EQ(drawn.size(), 2u);
  EXPECT_NEAR(drawn.at(0), 2.0 / 3, 2e-3);
}

TEST(Sampler, KeepsTheSmallestSetThatReachesTopP) {
  EXPECT_EQ(shares({.temperature = 1, .top_p = 0.75}).size(), 2u);
  EXPECT_EQ(shares({.temperature = 1, .top_p = 0.76}).size(), 3u);
  EXPECT_EQ(shares({.temperature = 1, .top_p = 1e-9}).size(), 1u);
}

TEST(Sampler, ReportsTheLogProbabilityUnderTheFullDistribution) {
  const Sampled token = sample(kLogits, {.temperature = 0.3, .top_k = 1}, 0.5);

  EXPECT_NEAR(token.logprob, std::log(0.5), 1e-6);
}

}  // namespace
}  // namespace attune
