// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "attune/model.h"

/// Linear weights in 4 bits (QLoRA: Dettmers et al., 2023): blocks of 64 of the NormalFloat type times the largest size in
/// the block; with double quantisation those sizes, less their mean, are dynamic 8-bit codes in blocks of 256. Layout and
/// numbers are those of bitsandbytes (0.50). On CPUs only.
namespace attune::nn {

/// `weight_OI`: any float type.
PackedWeight pack_nf4(const at::Tensor& weight_OI, bool double_quant);

/// O x I.
at::Tensor unpack_nf4(const PackedWeight& packed, at::ScalarType dtype);

/// x W^T + b, with W unpacked for the product and again for the gradient of x: N x I -> N x O. `bias_O` may be undefined.
at::Tensor packed_linear(const at::Tensor& x_NI, const PackedWeight& packed, const at::Tensor& bias_O);

/// Bytes of so many weights.
int64_t nf4_bytes(int64_t weights, bool double_quant);

}  // namespace attune::nn
