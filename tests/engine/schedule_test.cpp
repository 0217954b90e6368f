// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kernel/engine/optimizer.h"
#include "kernel/engine/schedule.h"

namespace attune {
namespace {

TEST(Schedule, WarmsUpInEqualStepsAndStaysConstant) {
  const Schedule schedule({{"use", "constant"}, {"warmup_steps", 4}}, 1.0, 10);

  EXPECT_DOUBLE_EQ(schedule.at(1), 0.25);
  EXPECT_DOUBLE_EQ(schedule.at(4), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(10), 1.0);
}

TEST(Schedule, FallsLinearlyToTheFloor) {
  const Schedule schedule({{"use", "linear"}, {"min_ratio", 0.2}}, 1.0, 4);

  EXPECT_DOUBLE_EQ(schedule.at(1), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(3), 0.2 + 0.8 * 0.5);
}

TEST(Schedule, FallsAsHalfACosine) {
  const Schedule schedule({{"use", "cosine"}}, 2.0, 4);

  EXPECT_DOUBLE_EQ(schedule.at(3), 2.0 * 0.5 * (1 + std::cos(M_PI * 0.5)));
}

TEST(Schedule, StaysConstantUntilTheDecay) {
  const Json wsd = {{"use", "wsd"}, {"warmup_steps", 2}, {"decay_steps", 4}, {"min_ratio", 0.1}};
  const auto of = [&](const char* decay) {
    Json options = wsd;
    options["decay"] = decay;
    return Schedule(options, 1.0, 10);
  };
  const Schedule linear = of("linear");

  EXPECT_DOUBLE_EQ(linear.at(1), 0.5);
  EXPECT_DOUBLE_EQ(linear.at(6), 1.0);
  EXPECT_DOUBLE_EQ(linear.at(7), 1.0);  // Of 10 steps the last 4: 7 begins the fall.
  EXPECT_DOUBLE_EQ(linear.at(9), 0.1 + 0.9 * 0.5);
  EXPECT_DOUBLE_EQ(of("cosine").at(9), 0.1 + 0.9 * 0.5 * (1 + std::cos(M_PI * 0.5)));
  EXPECT_DOUBLE_EQ(of("sqrt").at(8), 0.1 + 0.9 * 0.5);
}

TEST(Schedule, RefusesAWarmUpAndADecayThatOverlap) {
  EXPECT_THROW(Schedule({{"use", "wsd"}, {"warmup_steps", 8}, {"decay_steps", 4}}, 1.0, 10), Error);
}

const Json kAdamW = {{"betas", {0.9, 0.99}}, {"eps", 1e-8}, {"weight_decay", 0.1}};

TEST(AdamW, TakesTheStepOfThePaper) {
  // One step of AdamW (Loshchilov and Hutter, 2019, algorithm 2) with g = 6 / 3 = 2: m_hat = 2, v_hat = 4, so the update is
  // lr * 2 / (2 + eps), after w <- w - lr * decay * w.
  at::Tensor weight = at::full({2, 2}, 1.0);
  Optimizer adam({{"w", weight, true}}, kAdamW);
  weight.mutable_grad() = at::full({2, 2}, 6.0);

  adam.accumulate();
  const Optimizer::Result result = adam.step(0.01, 3.0, 0.0);

  EXPECT_NEAR(result.gradient_norm, 4.0, 1e-6);
  EXPECT_NEAR(weight[0][0].item<double>(), 1.0 - 0.01 * 0.1 - 0.01, 1e-6);
}

TEST(AdamW, ClipsTheGlobalNormOfTheMeanGradient) {
  at::Tensor small = at::zeros({1}), large = at::zeros({1});
  Optimizer adam({{"a", small, false}, {"b", large, false}}, {{"betas", {0.0, 0.0}}, {"eps", 1.0}, {"weight_decay", 0.0}});
  small.mutable_grad() = at::full({1}, 3.0);
  large.mutable_grad() = at::full({1}, 4.0);

  adam.accumulate();
  adam.step(1.0, 1.0, 1.0);

  // Norm 5 clipped to 1: gradients 0.6 and 0.8; with betas 0 and eps 1 the step is g / (|g| + 1).
  EXPECT_NEAR(small.item<double>(), -0.6 / 1.6, 1e-6);
  EXPECT_NEAR(large.item<double>(), -0.8 / 1.8, 1e-6);
}

TEST(AdamW, ChangesNothingOnAGradientThatIsNotFinite) {
  at::Tensor weight = at::ones({2});
  Optimizer adam({{"w", weight, true}}, kAdamW);
  weight.mutable_grad() = at::full({2}, std::nan(""));

  adam.accumulate();

  EXPECT_FALSE(adam.step(0.1, 1.0, 1.0).finite);
  EXPECT_EQ(weight[0].item<double>(), 1.0);
}

TEST(AdamW, KeepsMastersUnderBf16AndSumsGradientsInFp32) {
  at::Tensor weight = at::ones({1}).to(at::kBFloat16);
  Optimizer adam({{"w", weight, false}}, kAdamW);
  for (int i = 0; i < 300; ++i) {  // In bf16 a sum of ones stops growing at 256.
    weight.mutable_grad() = at::ones({1}).to(at::kBFloat16);
    adam.accumulate();
  }

  const Optimizer::Result result = adam.step(1e-4, 300.0, 0.0);

  EXPECT_NEAR(result.gradient_norm, 1.0, 1e-6);
  EXPECT_NEAR(adam.masters()[0].item<double>(), 1.0 - 1e-4, 1e-7);  // Less than bf16 can show.
  EXPECT_EQ(weight.to(at::kFloat).item<double>(), 1.0);
}

}  // namespace
}  // namespace attune
