// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "kernel/engine/random.h"

namespace attune {
namespace {

TEST(Shuffle, IsAPermutationOfEverySize) {
  for (const int64_t n : {1, 2, 3, 7, 16, 17, 100, 1000}) {
    std::set<int64_t> seen;
    for (int64_t i = 0; i < n; ++i) seen.insert(shuffled(7, 0, i, n));
    EXPECT_EQ(int64_t(seen.size()), n);
    EXPECT_EQ(*seen.begin(), 0);
    EXPECT_EQ(*seen.rbegin(), n - 1);
  }
}

TEST(Shuffle, DiffersByEpochAndSeed) {
  const auto order = [](uint64_t seed, int64_t epoch) {
    std::vector<int64_t> places;
    for (int64_t i = 0; i < 50; ++i) places.push_back(shuffled(seed, epoch, i, 50));
    return places;
  };

  EXPECT_EQ(order(1, 0), order(1, 0));
  EXPECT_NE(order(1, 0), order(1, 1));
  EXPECT_NE(order(1, 0), order(2, 0));
}

TEST(Shuffle, LeavesNoPlaceFavoured) {
  // Where index 0 lands over many seeds: each of 10 places about 1,000 times (standard deviation 30).
  std::vector<int> counts(10);
  for (uint64_t seed = 0; seed < 10000; ++seed) ++counts[size_t(shuffled(seed, 0, 0, 10))];

  for (const int count : counts) EXPECT_NEAR(count, 1000, 150);
}

TEST(RandomStream, IsAFunctionOfSeedPurposeAndIndex) {
  const auto first = [](uint64_t seed, std::string_view purpose, uint64_t index) {
    return RandomStream(seed, purpose, index).uniform();
  };

  EXPECT_EQ(first(1, "sample", 5), first(1, "sample", 5));
  EXPECT_NE(first(1, "sample", 5), first(1, "sample", 6));
  EXPECT_NE(first(1, "sample", 5), first(1, "shuffle", 5));
  EXPECT_NE(first(1, "sample", 5), first(2, "sample", 5));
}

TEST(RandomStream, IsUniform) {
  double sum = 0;
  for (uint64_t i = 0; i < 20000; ++i) sum += RandomStream(3, "sample", i).uniform();

  EXPECT_NEAR(sum / 20000, 0.5, 0.01);  // Standard error 0.002.
}

}  // namespace
}  // namespace attune
