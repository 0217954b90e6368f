// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

#include "attune/value.h"

namespace attune::nn {

/// Rotary position embedding: which angle each pair of a head's dimensions turns by at a position.
/// Reads `rope_parameters` (Transformers 5) or `rope_theta` and `rope_scaling` (before). Types
/// default, linear, llama3 and yarn; any other is refused by name. Rationale: dynamic and longrope
/// depend on how long a sequence will get, so rows would not have one hidden state whatever comes
/// after them, and kept keys would become wrong.
class Rotary {
 public:
  Rotary(const Value& config, int64_t head_size, std::string_view who);

  /// Cosines and sines of the angles, fp32, on the positions' device: N -> 2 x N x (head_size / 2).
  at::Tensor angles(const at::Tensor& positions_N) const;

 private:
  at::Tensor frequency_;  ///< head_size / 2, fp32
  double magnitude_ = 1;  ///< yarn: multiplies cosine and sine
};

/// Turns dimension i of each head against dimension i + head_size / 2, by `angles` of the row: N x
/// H x d -> N x H x d.
at::Tensor rotate(const at::Tensor& x_NHd, const at::Tensor& angles);

}  // namespace attune::nn
