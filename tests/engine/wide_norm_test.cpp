// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/wide_norm.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

TEST(WideNorm, IsThatOfTheWholeInDoublePrecision) {
  const at::Tensor tensor = at::randn({3, 700'001});  // Two pieces and a bit.

  const double whole = at::linalg_vector_norm(tensor.to(at::kDouble)).item<double>();

  EXPECT_NEAR(wide_norm(tensor).item<double>() / whole, 1, 1e-12);
  EXPECT_EQ(wide_norm(at::zeros({0})).item<double>(), 0);
}

}  // namespace
}  // namespace attune
