// SPDX-License-Identifier: Apache-2.0
// Operators that have a way of their own on CUDA, against the CPU in fp64.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kernel/engine/device.h"
#include "kernel/engine/optimizer.h"
#include "kernel/engine/state_hash.h"
#include "kernel/engine/wide_norm.h"
#include "nn/attention.h"
#include "nn/layers.h"
#include "nn/likelihood.h"
#include "nn/to_device.h"
#include "tests/cuda/device.h"

namespace attune::testing {
namespace {

class OnCuda : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_cuda()) GTEST_SKIP() << "no CUDA device here";
    cuda = open_device("cuda");
    at::manual_seed(7);
  }
  /// A leaf of `from` on the device, as `dtype`.
  at::Tensor leaf(const at::Tensor& from, at::ScalarType dtype) const { return from.detach().to(cuda, dtype).requires_grad_(); }
  /// |a - b| against the largest |b|.
  static double gap(const at::Tensor& a, const at::Tensor& b) {
    const at::Tensor expected = b.detach().to(at::kCPU, at::kDouble), found = a.detach().to(at::kCPU, at::kDouble);
    return ((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30)).item<double>();
  }

  at::Device cuda = at::kCPU;
};

/// A prompt, two answers to it, an answer to an answer, and a stranger.
const std::vector<Segment> kTree = {{0, 90, {}}, {90, 140, {{0, 90}}}, {140, 210, {{0, 90}}}, {210, 240, {{0, 90}, {140, 210}}}, {240, 300, {}}};

TEST_F(OnCuda, AttentionEqualsPlainOperatorsWithItsGradients) {
  for (const auto& [dtype, tolerance] : {std::pair{at::kBFloat16, 2e-2}, {at::kFloat, 1e-5}}) {
    for (const auto& [heads, groups, d] : {std::array<int64_t, 3>{4, 4, 64}, {6, 2, 128}, {4, 1, 40}}) {
      for (const int64_t window : {0, 50}) {
        SCOPED_TRACE(::testing::PrintToString(std::vector<int64_t>{heads, groups, d, window}));
        const nn::AttentionOptions options{.window = window};
        std::vector<at::Tensor> wide, narrow;
        for (const int64_t h : {heads, groups, groups}) {
          const at::Tensor drawn = at::randn({300, h, d}).to(dtype).to(at::kDouble);
          wide.push_back(drawn.requires_grad_()), narrow.push_back(leaf(drawn, dtype));
        }
        const at::Tensor weight = at::randn({300, heads, d}).to(dtype);

        const at::Tensor expected = nn::plain_attention(wide[0], wide[1], wide[2], kTree, options);
        const at::Tensor made = nn::attention(narrow[0], narrow[1], narrow[2], kTree, nullptr, 0, options);
        (expected * weight.to(at::kDouble)).sum().backward();
        (made * weight.to(cuda)).sum().backward();

        EXPECT_LT(gap(made, expected), tolerance);
        for (size_t i = 0; i < 3; ++i) EXPECT_LT(gap(narrow[i].grad(), wide[i].grad()), tolerance) << i;
      }
    }
  }
}

TEST_F(OnCuda, AttentionHasTheSameBitsEveryTime) {
  const at::Tensor q = leaf(at::randn({300, 4, 64}), at::kBFloat16), k = leaf(at::randn({300, 2, 64}), at::kBFloat16), v = leaf(at::randn({300, 2, 64}), at::kBFloat16);
  std::vector<at::Tensor> first;
  for (int time = 0; time < 5; ++time) {
    for (const at::Tensor& each : {q, k, v}) each.mutable_grad() = at::Tensor();
    nn::attention(q, k, v, kTree, nullptr, 0).square().sum().backward();
    const std::vector<at::Tensor> now = {q.grad().clone(), k.grad().clone(), v.grad().clone()};
    if (first.empty()) first = now;
    for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(at::equal(now[i], first[i])) << i;
  }
}

TEST_F(OnCuda, ScoresOfTheHeadEqualThoseOfTheCpu) {
  const int64_t units = 5000, vocabulary = 9000, width = 48;  // Several tiles each way.
  const at::Tensor hidden = at::randn({units, width}).to(at::kBFloat16).to(at::kDouble).requires_grad_(),
                   weight = (at::randn({vocabulary, width}) * 0.3).to(at::kBFloat16).to(at::kDouble).requires_grad_();
  const at::Tensor target = at::randint(vocabulary, {units}, at::kLong), c = at::randn({units}, at::kDouble), d = at::randn({units}, at::kDouble);
  const auto scored = [&](const at::Tensor& h, const at::Tensor& w, const at::Tensor& t) {
    return nn::unit_scores(h, t, Head{.weight_VD = w}, true, true);
  };
  const nn::UnitScores expected = scored(hidden, weight, target);
  (c * expected.logprob_U + d * expected.uniform_U).sum().backward();

  for (const auto& [dtype, tolerance] : {std::pair{at::kBFloat16, 2e-2}, {at::kFloat, 1e-5}}) {
    const at::Tensor h = leaf(hidden, dtype), w = leaf(weight, dtype);
    const nn::UnitScores made = scored(h, w, nn::to_device(target, cuda));
    (c.to(cuda, at::kFloat) * made.logprob_U + d.to(cuda, at::kFloat) * made.uniform_U).sum().backward();

    EXPECT_EQ(made.logprob_U.scalar_type(), at::kFloat);
    EXPECT_LT(gap(made.logprob_U, expected.logprob_U), 1e-5);  // Products of bf16 are exact in fp32.
    EXPECT_LT(gap(made.uniform_U, expected.uniform_U), 1e-5);
    EXPECT_LT(gap(made.collision_U, expected.collision_U), 1e-5);
    EXPECT_LT(gap(h.grad(), hidden.grad()), tolerance);
    EXPECT_LT(gap(w.grad(), weight.grad()), tolerance);
  }
}

TEST_F(OnCuda, NormsEqualThoseOfTheCpu) {
  const at::Tensor x = at::randn({70, 96}, at::kDouble).requires_grad_(), weight = at::randn({96}, at::kDouble).requires_grad_(), by = at::randn({70, 96}, at::kDouble);
  for (const double offset : {0.0, 1.0}) {
    x.mutable_grad() = weight.mutable_grad() = at::Tensor();
    const at::Tensor expected = nn::rms_norm(x, weight, 1e-6, offset);
    (expected * by).sum().backward();
    for (const auto& [dtype, tolerance] : {std::pair{at::kBFloat16, 3e-2}, {at::kFloat, 1e-5}}) {
      const at::Tensor a = leaf(x, dtype), w = leaf(weight, dtype);
      const at::Tensor made = nn::rms_norm(a, w, 1e-6, offset);
      (made * by.to(cuda, dtype)).sum().backward();

      EXPECT_LT(gap(made, expected), tolerance);
      EXPECT_LT(gap(a.grad(), x.grad()), tolerance);
      EXPECT_LT(gap(w.grad(), weight.grad()), tolerance);
    }
  }
  const at::Tensor large = at::randn({3'000'000});
  EXPECT_NEAR(wide_norm(large.to(cuda)).item<double>(), wide_norm(large).item<double>(), 1e-9 * wide_norm(large).item<double>());
}

TEST_F(OnCuda, OptimizersMoveWeightsAsOnTheCpu) {
  for (const Json& rule : Json{{{"use", "adamw"}}, {{"use", "sgd"}, {"momentum", 0.9}, {"nesterov", true}}, {{"use", "muon"}}}) {
    SCOPED_TRACE(rule.dump());
    const at::Tensor matrix = at::randn({64, 48}), bias = at::randn({48}), push = at::randn({64, 48});
    const auto moved = [&](at::Device device) {
      std::vector<Parameter> all = {{"matrix", matrix.clone().to(device), true}, {"bias", bias.clone().to(device), false}};
      all[0].adapter = std::make_shared<Adapter>();
      for (Parameter& each : all) each.tensor.set_requires_grad(true);
      Json options = {{"betas", {0.9, 0.99}}, {"eps", 1e-8}, {"weight_decay", 0.01}};
      options.update(rule);
      Optimizer optimizer(all, options);
      for (int step = 0; step < 4; ++step) {
        ((all[0].tensor * push.to(device)).sum(0) * all[1].tensor).square().sum().backward();
        optimizer.accumulate();
        optimizer.step(1e-2, 3, 1.0);
      }
      return std::pair{all[0].tensor, all[1].tensor};
    };
    const auto expected = moved(at::kCPU), made = moved(cuda);

    EXPECT_LT(gap(made.first, expected.first), 1e-5);
    EXPECT_LT(gap(made.second, expected.second), 1e-5);
  }
}

TEST_F(OnCuda, ADifferenceInAnyElementShowsInTheStateHash) {
  const at::Tensor weight = at::randn({40, 50}).to(cuda), other = at::randn({30}).to(cuda);
  const auto after = [&](const at::Tensor& a, const at::Tensor& b) {
    StateHash hash;
    for (int64_t step = 1; step <= 32; ++step) hash.add_sample(std::vector<at::Tensor>{a, b}, step);
    return hash.hex();
  };
  const std::string same = after(weight, other);
  EXPECT_EQ(after(weight.clone(), other.clone()), same);
  for (const int64_t i : {0, 7, 1999}) {
    at::Tensor changed = weight.clone();
    changed.view(-1)[i].add_(1);
    EXPECT_NE(after(changed, other), same) << i;
  }
}

TEST_F(OnCuda, ThePeakOfDeviceMemoryCountsTensors) {
  const int64_t before = peak_device_memory(cuda);
  const at::Tensor large = at::zeros({int64_t{1} << 28}, at::TensorOptions(cuda));

  EXPECT_GE(peak_device_memory(cuda), std::max(before, int64_t{1} << 30));
}

}  // namespace
}  // namespace attune::testing
