// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

/// Products of bf16 matrices into fp32, by the CPU's own instructions for them (AVX512-BF16 or AMX, through oneDNN's kernels
/// in LibTorch). Sizes are padded with zeros to a few, since each size of product is a kernel of its own in memory.
namespace attune::nn {

/// Whether this CPU has them.
bool has_half_products();

/// The left side: M x K, bf16.
class HalfRows {
 public:
  /// Of bf16, or of fp32, which is rounded to the nearest. Of bf16 whose size needs no padding it is a view.
  explicit HalfRows(const at::Tensor& a_MK);

  int64_t rows, width;  ///< M, K
  at::Tensor padded;    ///< bf16, contiguous
};

/// The right side: K x N, bf16, laid out in stretches of 64 columns, pairs of rows side by side.
class HalfColumns {
 public:
  HalfColumns() = default;
  /// Of bf16 or fp32, K x N.
  static HalfColumns of(const at::Tensor& b_KN);
  /// Of bf16, N x K, whose transpose is the right side.
  static HalfColumns of_transposed(const at::Tensor& b_NK);

  int64_t depth = 0, columns = 0;  ///< K, N
  at::Tensor packed;               ///< N / 64 x K / 2 x 64 x 2
};

/// c = a . b, or c += a . b. `c_MN` is fp32 with contiguous rows.
void multiply(const HalfRows& a, const HalfColumns& b, const at::Tensor& c_MN, bool add);

}  // namespace attune::nn
