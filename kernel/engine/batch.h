// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "attune/model.h"
#include "attune/scores.h"
#include "nn/likelihood.h"

namespace attune {

/// Encoded samples packed into one micro-batch, without padding, and the constant part of its scores.
/// Legend: N rows, U units, B sequences.
struct MicroBatch {
  Batch batch;
  at::Tensor row_U;             ///< int64: the row that predicts each unit
  at::Tensor target_U;          ///< int64
  at::Tensor head_U;            ///< int64; undefined where every unit has head 0
  at::Tensor mark_row_M;        ///< int64: rows that a value head reads
  Scores scores;                ///< weights, offsets, pairs; no log-likelihoods yet
  std::vector<int64_t> units;   ///< units of each sample
  int64_t rows = 0;
  at::Tensor teacher_ids_UK, teacher_UK;  ///< the teacher's likeliest tokens and their log-probabilities, where they were stored
};

/// Concatenates rows and shifts offsets. The sequences of a sample are ranked as they come, best first; neighbours of the
/// same rating tie where there are more than two.
MicroBatch pack(std::span<const Encoded* const> samples, int64_t position_axes, at::Device device);

/// Splits samples, longest first, into micro-batches of at most `budget` rows (a longer sample stands alone). Depends on
/// the lengths alone. Returns indices into `samples`.
std::vector<std::vector<size_t>> split_by_rows(std::span<const Encoded* const> samples, int64_t budget);

/// A linear head on hidden states: K outputs.
struct ValueHead {
  at::Tensor weight_KD, bias_K;  ///< undefined: there is no value head; no bias
};

/// Fills in what the policy says of a micro-batch, fp32: what `needs` names of each unit, or the values of the marked places.
/// Differentiable unless gradients are off. `teacher` may be null where no divergence is asked for.
void score(Model& model, const ValueHead& value, Model* teacher, const Needs& needs, MicroBatch& micro);
/// The log-likelihood of every unit alone: U.
at::Tensor log_likelihood(Model& model, const MicroBatch& micro);

}  // namespace attune
