// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/step_plan.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "attune/error.h"

namespace attune {
namespace {

/// Samples of 0 to 9 tokens: the last digit of the index.
int64_t digit(int64_t index) { return index % 10; }

Json data_of(std::vector<double> weights, const std::string& mix = "samples") {
  Json data = {{"train", Json::array()}, {"mix", mix}};
  for (const double weight : weights) data["train"].push_back({{"weight", weight}});
  return data;
}

std::vector<int64_t> all(const StepPlan& plan) {
  std::vector<int64_t> indices;
  for (int64_t step = 1; step <= plan.steps(); ++step) {
    for (const int64_t index : plan.samples(step)) indices.push_back(index);
  }
  return indices;
}

TEST(StepPlan, AnEpochSeesEachSampleOnce) {
  const StepPlan plan({{"epochs", 2.0}, {"samples_per_step", 7}}, data_of({0, 0}), 3, {20, 10},
                      digit);

  const std::vector<int64_t> seen = all(plan);
  ASSERT_EQ(seen.size(), 60u);
  EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.begin() + 30).size(), 30u);
  EXPECT_EQ(std::set<int64_t>(seen.begin() + 30, seen.end()).size(), 30u);
  EXPECT_EQ(plan.epochs(), 2);
}

TEST(StepPlan, AMixtureKeepsItsSharesAtEveryPoint) {
  const StepPlan plan({{"steps", 100}, {"samples_per_step", 9}}, data_of({1, 3, 5}), 3,
                      {20, 10, 400}, digit);

  const std::vector<int64_t> seen = all(plan);
  ASSERT_EQ(seen.size(), 900u);
  std::map<int, double> counts;
  for (size_t i = 0; i < seen.size(); ++i) {
    ++counts[seen[i] < 20 ? 0 : seen[i] < 30 ? 1 : 2];
    for (const auto& [entry, share] :
         std::map<int, double>{{0, 1 / 9.0}, {1, 3 / 9.0}, {2, 5 / 9.0}}) {
      EXPECT_LE(std::abs(counts[entry] - share * double(i + 1)), 1.5) << i;
    }
  }
  // Each entry goes through all its samples before one comes again.
  std::vector<int64_t> second;
  for (const int64_t index : seen) {
    if (index >= 20 && index < 30) second.push_back(index);
  }
  for (size_t i = 0; i + 10 <= second.size(); i += 10)
    EXPECT_EQ(std::set<int64_t>(second.begin() + i, second.begin() + i + 10).size(), 10u);
}

TEST(StepPlan, SharesMayBeOfTokens) {
  // Entry 0 has samples of 2 tokens, entry 1 of 8: equal shares of tokens are four to one in
  // samples.
  const auto tokens = [](int64_t index) { return index < 10 ? 2 : 8; };
  const StepPlan plan({{"steps", 50}, {"samples_per_step", 10}}, data_of({1, 1}, "tokens"), 3,
                      {10, 10}, tokens);

  double first = 0, second = 0;
  for (const int64_t index : all(plan)) (index < 10 ? first : second) += tokens(index);
  EXPECT_NEAR(first / second, 1, 0.02);
}

TEST(StepPlan, ABudgetOfTokensEndsWithTheSampleThatReachesIt) {
  for (const char* per_step : {"samples_per_step", "tokens_per_step"}) {
    for (const auto& weights : {std::vector<double>{0, 0}, std::vector<double>{1, 2}}) {
      const StepPlan plan({{"tokens", 1000}, {per_step, 12}}, data_of(weights), 3, {20, 10}, digit);

      int64_t tokens = 0;
      std::vector<int64_t> seen = all(plan);
      for (const int64_t index : seen) tokens += digit(index);
      EXPECT_GE(tokens, 1000);
      EXPECT_LT(tokens - digit(seen.back()), 1000);
    }
  }
}

TEST(StepPlan, TheSeedAloneDecides) {
  const auto plan = [](uint64_t seed, bool shuffle = true) {
    return all(StepPlan({{"steps", 10}, {"samples_per_step", 9}, {"shuffle", shuffle}},
                        data_of({1, 3}), seed, {20, 10}, digit));
  };

  EXPECT_EQ(plan(1), plan(1));
  EXPECT_NE(plan(1), plan(2));
  EXPECT_EQ(plan(1, false), plan(2, false));
}

TEST(StepPlan, RefusesDataWithoutATokenToLearnFrom) {
  const auto none = [](int64_t) { return int64_t(0); };
  EXPECT_THROW(StepPlan({{"tokens", 10}, {"samples_per_step", 2}}, data_of({0}), 1, {5}, none),
               Error);
}

TEST(StepPlan, OneThatIsKnownAsksForNoLength) {
  const Json train = {{"steps", 50}, {"tokens_per_step", 40}}, data = data_of({1, 2}, "tokens");
  const StepPlan counted(train, data, 3, {20, 30}, digit);

  const StepPlan known(
      train, data, 3, {20, 30}, [](int64_t) -> int64_t { throw Error("asked"); }, counted.known());

  EXPECT_EQ(all(known), all(counted));
  EXPECT_EQ(known.used(), counted.used());
}

TEST(StepPlan, TenMillionSamplesArePlannedWithoutAList) {
  const StepPlan plan({{"epochs", 1.0}, {"samples_per_step", 8}}, data_of({0}), 3, {10'000'000}, digit);

  EXPECT_EQ(plan.steps(), 1'250'000);
  EXPECT_EQ(plan.samples(1'000'000).size(), 8u);
  EXPECT_EQ(plan.used().size(), 10'000'000u);
}

}  // namespace
}  // namespace attune
