// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace attune::nn {

/// Legend: N rows, I in, O out, D width, F feed-forward width.

/// The dtype that matrix products of `tensor` run in: on a CPU without bf16 instructions fp32 for
/// bf16 and fp16, else its own.
at::ScalarType compute_dtype(const at::Tensor& tensor);

/// x W^T + b: N x I -> N x O. `bias_O` may be undefined.
at::Tensor linear(const at::Tensor& x_NI, const at::Tensor& weight_OI, const at::Tensor& bias_O);

/// x / sqrt(mean(x^2) + eps) * (weight + offset), statistics in fp32.
at::Tensor rms_norm(const at::Tensor& x_ND, const at::Tensor& weight_D, double eps,
                    double offset = 0);

/// (x - mean(x)) / sqrt(var(x) + eps) * weight + bias. Both may be undefined.
at::Tensor layer_norm(const at::Tensor& x_ND, const at::Tensor& weight_D, const at::Tensor& bias_D,
                      double eps);

/// kGeluTanh is 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), kGelu the exact form.
enum class Activation { kSilu, kGeluTanh, kGelu, kRelu };

at::Tensor activate(const at::Tensor& x, Activation activation);

/// (activation(gate) * up) W^T + b, the second half of a gated feed-forward; activation(gate) W^T +
/// b where `up_NF` is undefined. Keeps only gate and up for the backward pass.
at::Tensor gated_linear(const at::Tensor& gate_NF, const at::Tensor& up_NF,
                        const at::Tensor& weight_DF, const at::Tensor& bias_D,
                        Activation activation = Activation::kSilu);

/// Rows of the table: N -> N x D. Throws Error where an id is outside it.
at::Tensor embedding(const at::Tensor& ids_N, const at::Tensor& weight_VD);

}  // namespace attune::nn
