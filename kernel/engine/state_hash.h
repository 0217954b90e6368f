// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>

#include "attune/algorithm.h"

namespace attune {

/// A 64-bit hash of a run so far, chained over its steps: where two runs have the same, they had the
/// same bits of what was added at every step up to there. It tells runs apart; it is no proof against
/// intent.
class StateHash {
 public:
  void add(uint64_t bits);
  void add(double number);
  /// Every element.
  void add(const NamedTensors& tensors);
  /// Of each tensor about kSampled elements, evenly spread, other ones at the next step: a difference
  /// in any element shows after numel / kSampled steps at the latest.
  void add_sample(std::span<const at::Tensor> tensors, int64_t step);
  static constexpr int64_t kSampled = 64;

  /// 16 hex digits.
  std::string hex() const;
  void restore(const std::string& hex);

 private:
  void add_every(const at::Tensor& elements, int64_t first, int64_t stride);

  uint64_t value_ = 0;
};

}  // namespace attune
