// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <algorithm>

namespace attune {

/// The Euclidean norm of a tensor, summed in fp64: a scalar. Rationale: asked for another dtype, LibTorch makes a copy of the
/// whole, which for a large vocabulary is the most memory that a step takes; this copies a piece at a time. Devices convert within the sum.
inline at::Tensor wide_norm(const at::Tensor& tensor) {
  if (!tensor.is_cpu()) return at::linalg_vector_norm(tensor, 2, {}, false, at::kDouble);
  constexpr int64_t kPiece = 1 << 20;
  const at::Tensor flat = tensor.reshape(-1);
  at::Tensor squares = at::zeros({}, tensor.options().dtype(at::kDouble));
  for (int64_t first = 0; first < flat.numel(); first += kPiece) {
    const at::Tensor piece = flat.slice(0, first, std::min(first + kPiece, flat.numel())).to(at::kDouble);
    squares.add_(at::dot(piece, piece));
  }
  return squares.sqrt();
}

}  // namespace attune
