// SPDX-License-Identifier: Apache-2.0
#include "nn/half_products.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tuple>

namespace attune::nn {
namespace {

/// M, K, N.
class HalfProducts : public ::testing::TestWithParam<std::tuple<int64_t, int64_t, int64_t>> {
 protected:
  void SetUp() override {
    at::manual_seed(3);
    std::tie(m, k, n) = GetParam();
    a = at::randn({m, k});
    b = at::randn({k, n});
    want = at::mm(rounded(a), rounded(b));
  }
  static at::Tensor rounded(const at::Tensor& x) { return x.to(at::kBFloat16).to(at::kDouble); }
  void expect_near(const at::Tensor& found, const at::Tensor& expected) const {
    // Sums of K products in fp32.
    EXPECT_LT((found.to(at::kDouble) - expected).abs().max().item<double>(), 2e-6 * double(k + 16));
  }
  bool here() const { return has_half_products(); }

  int64_t m = 0, k = 0, n = 0;
  at::Tensor a, b, want;
};

TEST_P(HalfProducts, EqualThoseOfRoundedNumbers) {
  if (!here()) GTEST_SKIP() << "this CPU has no products of bf16; layouts are tested on any";
  const at::Tensor c = at::full({m, n}, 7.0F);
  multiply(HalfRows(a), HalfColumns::of(b), c, false);
  expect_near(c, want);
  multiply(HalfRows(a.to(at::kBFloat16)), HalfColumns::of(b.to(at::kBFloat16)), c, true);
  expect_near(c, 2 * want);
}

TEST_P(HalfProducts, TouchNothingBesideTheirPlace) {
  if (!here()) GTEST_SKIP() << "this CPU has no products of bf16";
  const at::Tensor wide = at::full({m + 2, n + 3}, 5.0F), c = wide.narrow(0, 1, m).narrow(1, 2, n);
  multiply(HalfRows(a), HalfColumns::of_transposed(b.t().to(at::kBFloat16)), c, false);
  expect_near(c, want);
  c.fill_(5.0F);
  EXPECT_TRUE(wide.eq(5.0F).all().item<bool>());
}

TEST_P(HalfProducts, LayOutBothWaysAlike) {
  const HalfColumns one = HalfColumns::of(b), other = HalfColumns::of_transposed(b.t().to(at::kBFloat16));
  EXPECT_TRUE(at::equal(one.packed, other.packed));
  // Back to K x N: stretches outermost, then pairs of rows.
  const at::Tensor back = one.packed.permute({1, 3, 0, 2}).flatten(2, 3).flatten(0, 1);
  EXPECT_TRUE(at::equal(back.narrow(0, 0, k).narrow(1, 0, n), b.to(at::kBFloat16)));
  EXPECT_EQ(back.count_nonzero().item<int64_t>(), b.to(at::kBFloat16).count_nonzero().item<int64_t>()) << "padding is zero";
  const HalfRows rows(a);
  EXPECT_TRUE(at::equal(rows.padded.narrow(0, 0, m).narrow(1, 0, k), a.to(at::kBFloat16)));
}

INSTANTIATE_TEST_SUITE_P(Sizes, HalfProducts,
                         ::testing::Values(std::tuple(1, 1, 1), std::tuple(1, 2, 3), std::tuple(32, 32, 64), std::tuple(33, 31, 65), std::tuple(130, 600, 200),
                                           std::tuple(257, 1100, 64), std::tuple(96, 576, 127)));

TEST(HalfProductsRounding, KeepsWhatIsNotANumber) {
  const at::Tensor b = at::tensor({std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -0.0F, 1.00390625F, 1.01171875F}).view({1, 5});
  const at::Tensor packed = HalfColumns::of(b).packed.flatten(), expected = b.to(at::kBFloat16).flatten();
  EXPECT_TRUE(std::isnan(packed[0].item<float>()));
  for (int64_t i = 1; i < 5; ++i) EXPECT_EQ(packed[2 * i].item<float>(), expected[i].item<float>()) << i;
}

}  // namespace
}  // namespace attune::nn
