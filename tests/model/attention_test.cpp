// SPDX-License-Identifier: Apache-2.0
#include "nn/attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "attune/error.h"
#include "tests/model/saved_model.h"

namespace attune::testing {
namespace {

/// A prompt, two answers to it, an answer to an answer, and a stranger.
const std::vector<Segment> kTree = {
    {0, 9, {}}, {9, 14, {{0, 9}}}, {14, 21, {{0, 9}}}, {21, 24, {{0, 9}, {14, 21}}}, {24, 30, {}}};

struct Inputs {
  at::Tensor q, k, v;
};
Inputs inputs(int64_t heads, int64_t groups, at::ScalarType dtype) {
  at::manual_seed(11);
  const auto leaf = [&](int64_t h) {
    return at::randn({30, h, 8}, at::kDouble).to(dtype).requires_grad_();
  };
  return {leaf(heads), leaf(groups), leaf(groups)};
}

TEST(Attention, EqualsPlainOperatorsWithItsGradients) {
  for (const auto& [heads, groups] : {std::pair<int64_t, int64_t>{4, 4}, {6, 2}, {4, 1}}) {
    const Inputs a = inputs(heads, groups, at::kFloat), b = inputs(heads, groups, at::kDouble);
    const at::Tensor weight = at::randn({30, heads, 8}, at::kDouble);

    const at::Tensor made = nn::attention(a.q, a.k, a.v, kTree, nullptr, 0);
    const at::Tensor expected = nn::plain_attention(b.q, b.k, b.v, kTree);
    (made * weight.to(at::kFloat)).sum().backward();
    (expected * weight).sum().backward();

    EXPECT_TRUE(close(made, expected, 2e-6));
    EXPECT_TRUE(close(a.q.grad(), b.q.grad(), 3e-6));
    EXPECT_TRUE(close(a.k.grad(), b.k.grad(), 3e-6));
    EXPECT_TRUE(close(a.v.grad(), b.v.grad(), 3e-6));
  }
}

TEST(Attention, LooksAtNothingOutsideItsContext) {
  Inputs in = inputs(4, 2, at::kFloat);
  const at::NoGradGuard no_grad;
  const at::Tensor before = nn::attention(in.q, in.k, in.v, kTree, nullptr, 0);
  in.k.slice(0, 9, 14).fill_(3), in.v.slice(0, 9, 14).fill_(100);  // The first answer.

  const at::Tensor after = nn::attention(in.q, in.k, in.v, kTree, nullptr, 0);

  EXPECT_TRUE(at::equal(before.slice(0, 0, 9), after.slice(0, 0, 9)));
  EXPECT_TRUE(at::equal(before.slice(0, 14), after.slice(0, 14)));
}

TEST(Attention, RefusesSegmentsThatDoNotCoverTheRows) {
  const Inputs in = inputs(4, 4, at::kFloat);

  EXPECT_THROW(nn::attention(in.q, in.k, in.v, {{0, 9, {}}}, nullptr, 0), Error);
}

TEST(KeyValueCache, RefusesMoreRowsThanItHasRoomFor) {
  nn::KeyValueCache cache(1, 2, 4, 1, 8, at::kFloat);
  const at::Tensor rows = at::zeros({3, 1, 8});
  cache.append(0, 1, rows, rows);
  cache.advance({{0, 3, {}, 1}});

  EXPECT_THROW(cache.append(0, 1, rows, rows), Error);
  EXPECT_EQ(cache.length(0), 0);
  cache.clear(1);
  EXPECT_EQ(cache.append(0, 1, rows, rows).first.size(0), 3);
}

}  // namespace
}  // namespace attune::testing
