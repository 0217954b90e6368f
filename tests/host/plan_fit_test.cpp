// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/plan_fit.h"

#include <gtest/gtest.h>

#include "kernel/host/exit.h"

namespace attune {
namespace {

constexpr int64_t kLayers = 4;

/// 1,000 bytes, and for each token 2 and 2 for each layer that is not computed again; half of all in bfloat16.
int64_t planned(const Json& run) {
  const Json& train = run.at("train");
  const int64_t kept = kLayers - train.at("activation_checkpointing").get<int64_t>();
  const int64_t bytes = 1000 + train.at("tokens_per_batch").get<int64_t>() * (2 + 2 * kept);
  return run.at("model").value("dtype", "float32") == "bfloat16" ? bytes / 2 : bytes;
}

const Json kRun = {{"run", {{"name", "x"}}},
                   {"model", {{"dtype", "float32"}}},
                   {"train", {{"max_length", 100}, {"samples_per_step", 8}}}};

TEST(PlanFit, PrefersTheRunAsItIsThenFewLayersAgainThenBfloat16) {
  const auto at = [](int64_t limit) {
    const auto found = fit_memory(kRun, kLayers, limit, planned);
    return found ? std::to_string(found->tokens_per_batch) + " " +
                       std::to_string(found->recomputed) + (found->half ? " half" : "")
                 : "nothing";
  };

  EXPECT_EQ(at(9000), "800 0");
  EXPECT_EQ(at(8999), "400 0");
  EXPECT_EQ(at(2000), "100 0");
  EXPECT_EQ(at(1999), "100 1");
  EXPECT_EQ(at(1600), "100 2");
  EXPECT_EQ(at(1400), "100 3");  // 200 tokens would need all four.
  EXPECT_EQ(at(1200), "100 4");
  EXPECT_EQ(at(1199), "100 0 half");
  EXPECT_EQ(at(999), "100 1 half");
  EXPECT_EQ(at(600), "100 4 half");
  EXPECT_EQ(at(599), "nothing");
}

TEST(PlanFit, KeepsTheLayersThatTheRunAsksFor) {
  Json run = kRun;
  run["train"]["activation_checkpointing"] = true;
  EXPECT_EQ(fit_memory(run, kLayers, 10000, planned)->recomputed, kLayers);
  run["train"]["activation_checkpointing"] = 2;
  EXPECT_EQ(fit_memory(run, kLayers, 10000, planned)->recomputed, 2);
}

TEST(PlanFit, WhatItProposesIsWithinTheLimit) {
  for (int64_t limit = 600; limit < 10000; limit += 37) {
    const auto found = fit_memory(kRun, kLayers, limit, planned);
    ASSERT_TRUE(found);
    EXPECT_LE(found->planned, limit);
    EXPECT_GE(found->tokens_per_batch, 100);
  }
}

TEST(PlanFit, ReadsAmountsOfMemory) {
  EXPECT_EQ(parse_bytes("8 GB"), 8'000'000'000);
  EXPECT_EQ(parse_bytes("3.5GB"), 3'500'000'000);
  EXPECT_EQ(parse_bytes("2MiB"), 2 << 20);
  for (const char* bad : {"8", "GB", "8 gigs", "-1 GB", "0 GB", ""})
    EXPECT_THROW(parse_bytes(bad), ExitError) << bad;
}

TEST(PlanFit, ARunThatExceedsTheMachineIsRefusedWithTheCure) {
  EXPECT_NO_THROW(check_memory("x", 1000, 1000));
  EXPECT_NO_THROW(check_memory("x", 1000, 0));  // A machine that does not say.
  try {
    check_memory("x", 3'000'000'000, 2'000'000'000);
    FAIL() << "taken";
  } catch (const ExitError& error) {
    EXPECT_STREQ(error.what(),
                 "run \"x\" is planned to need 3.00 GB, this machine has 2.00 GB\n  = help: attune "
                 "plan FILE --fit \"1.80 GB\" says which settings fit");
  }
}

}  // namespace
}  // namespace attune
