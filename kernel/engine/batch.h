// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "attune/model.h"
#include "attune/scores.h"

namespace attune {

/// Encoded samples packed into one micro-batch, without padding, and the constant part of its scores.
/// Legend: N rows, U units, B sequences.
struct MicroBatch {
  Batch batch;
  at::Tensor row_U;             ///< int64: the row that predicts each unit
  at::Tensor target_U;          ///< int64
  at::Tensor head_U;            ///< int64; undefined where every unit has head 0
  Scores scores;                ///< weights, offsets, pairs; no log-likelihoods yet
  std::vector<int64_t> units;   ///< units of each sample
  int64_t rows = 0, sequences = 0, pairs = 0;
};

/// Concatenates rows and shifts offsets. Two sequences of one sample are a pair: the first is chosen.
MicroBatch pack(std::span<const Encoded* const> samples, int64_t position_axes, at::Device device);

/// Splits samples, longest first, into micro-batches of at most `budget` rows (a longer sample stands alone). Depends on
/// the lengths alone. Returns indices into `samples`.
std::vector<std::vector<size_t>> split_by_rows(std::span<const Encoded* const> samples, int64_t budget);

/// Log-likelihood of every unit under `model`: U, fp32. Differentiable unless gradients are off.
at::Tensor log_likelihood(Model& model, const MicroBatch& micro);

}  // namespace attune
