// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/plan_fit.h"

#include <gtest/gtest.h>

#include "kernel/host/exit.h"

namespace attune {
namespace {

/// 1,000 bytes, and 10 a token; less with checkpointing, half of all in bfloat16.
int64_t planned(const Json& run) {
  const Json& train = run.at("train");
  const int64_t bytes = 1000 + train.at("tokens_per_batch").get<int64_t>() *
                                   (train.value("activation_checkpointing", false) ? 2 : 10);
  return run.at("model").value("dtype", "float32") == "bfloat16" ? bytes / 2 : bytes;
}

const Json kRun = {{"run", {{"name", "x"}}},
                   {"model", {{"dtype", "float32"}}},
                   {"train", {{"max_length", 100}, {"samples_per_step", 8}}}};

TEST(PlanFit, PrefersTheRunAsItIsThenCheckpointingThenBfloat16) {
  const auto at = [](int64_t limit) {
    const auto found = fit_memory(kRun, limit, planned);
    return found ? std::to_string(found->tokens_per_batch) +
                       (found->checkpointing ? " again" : "") + (found->half ? " half" : "")
                 : "nothing";
  };

  EXPECT_EQ(at(9000), "800");
  EXPECT_EQ(at(8999), "400");
  EXPECT_EQ(at(2000), "100");
  EXPECT_EQ(at(1999), "400 again");
  EXPECT_EQ(at(1200), "100 again");
  EXPECT_EQ(at(1100), "100 half");
  EXPECT_EQ(at(999), "400 again half");
  EXPECT_EQ(at(600), "100 again half");
  EXPECT_EQ(at(599), "nothing");
}

TEST(PlanFit, WhatItProposesIsWithinTheLimit) {
  for (int64_t limit = 600; limit < 10000; limit += 37) {
    const auto found = fit_memory(kRun, limit, planned);
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
  EXPECT_NO_THROW(check_memory(kRun, 1000, 1000));
  EXPECT_NO_THROW(check_memory(kRun, 1000, 0));  // A machine that does not say.
  try {
    check_memory(kRun, 3'000'000'000, 2'000'000'000);
    FAIL() << "taken";
  } catch (const ExitError& error) {
    EXPECT_STREQ(error.what(),
                 "run \"x\" is planned to need 3.00 GB, this machine has 2.00 GB\n  = help: attune "
                 "plan FILE --fit \"1.80 GB\" says which settings fit");
  }
}

}  // namespace
}  // namespace attune
