// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/state_hash.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernel/engine/state_tree.h"

namespace attune {
namespace {

std::string after(const std::vector<at::Tensor>& weights, int64_t steps) {
  StateHash hash;
  for (int64_t step = 1; step <= steps; ++step) hash.add_sample(weights, step);
  return hash.hex();
}

TEST(StateHash, ADifferenceInTheLastBitOfAnyElementShowsWithinAStride) {
  const at::Tensor weight = at::arange(0, 1000, at::kFloat).view({10, 100});
  const std::string same = after({weight}, 16);
  EXPECT_EQ(after({weight.clone()}, 16), same);
  for (int64_t i = 0; i < weight.numel(); ++i) {
    at::Tensor other = weight.clone();
    other.view(at::kInt).view(-1)[i].bitwise_xor_(1);

    EXPECT_NE(after({other}, 16), same) << i;
  }
}

TEST(StateHash, ReadsTransposedStorageWithoutACopyAndSmallTensorsWhole) {
  const at::Tensor weight = at::arange(0, 12, at::kFloat).view({3, 4});

  EXPECT_EQ(after({weight.t()}, 3), after({weight}, 3));
  EXPECT_NE(after({weight}, 1), after({at::where(weight == 11, -weight, weight)}, 1));
}

TEST(StateHash, GoesOnFromItsText) {
  StateHash straight, resumed;
  straight.add(0.5);
  resumed.restore(straight.hex());
  straight.add(NAN), resumed.add(NAN);
  straight.add({{"count", at::ones({3}, at::kDouble)}}), resumed.add({{"count", at::ones({3}, at::kDouble)}});

  EXPECT_EQ(straight.hex(), resumed.hex());
  EXPECT_EQ(straight.hex().size(), 16u);
  resumed.add(-0.0), straight.add(0.0);
  EXPECT_NE(straight.hex(), resumed.hex());
}

TEST(StateTree, RefusesTwoTensorsOfOneName) {
  StateTree tree;
  tree.add("algorithm", {{"mean", at::zeros({})}});

  EXPECT_THROW(tree.add("algorithm", {{"mean", at::zeros({})}}), Error);
  EXPECT_NO_THROW(tree.add("reference", {{"mean", at::zeros({})}}));
}

}  // namespace
}  // namespace attune
