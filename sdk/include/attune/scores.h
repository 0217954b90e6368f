// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/index_add.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros_like.h>

#include <string>
#include <utility>
#include <vector>

namespace attune {

/// How far one distribution over the vocabulary is from another; see nn/divergence.h.
struct DivergenceKind {
  enum Kind { kNone, kForward, kReverse, kJs } kind = kNone;
  double beta = 0.5;         ///< js: share of the teacher in the mixture
  double temperature = 1.0;  ///< of both distributions
};

/// What an algorithm sees of a batch. Legend: U scored units, B sequences (answers), S samples (prompts), P pairs, M marked
/// places, K outputs of a value head.
/// Floats are fp32. A tensor that was not asked for is undefined.
struct Scores {
  at::Tensor logprob_U;    ///< log-likelihood of each unit under the policy, nats; differentiable
  at::Tensor reference_U;  ///< the same under the reference
  at::Tensor weight_U;     ///< loss weight of each unit, > 0
  at::Tensor uniform_U;    ///< mean over the vocabulary of the log-likelihood; differentiable
  at::Tensor collision_U;  ///< log of the sum over the vocabulary of the squared likelihood; no gradient
  at::Tensor divergence_U; ///< of the policy's distribution from the reference's; differentiable
  at::Tensor sequence_U;   ///< int64: the sequence of each unit, ascending
  at::Tensor length_B;     ///< units of each sequence, as fp32
  at::Tensor sample_B;     ///< int64: the sample of each sequence, ascending
  at::Tensor rank_B;       ///< int64: 0 for the best answer of a sample, then 1, ...; the same where ratings tie
  at::Tensor rating_B;     ///< higher is better; NaN where there is none
  at::Tensor desirable_B;  ///< 1 or 0; NaN where the data does not say
  at::Tensor ratio_B;      ///< density of the prompt among desirable answers over that among others; NaN where there is none
  at::Tensor chosen_P;     ///< int64: sequence of the preferred answer, for every pair of a sample's answers of different rank
  at::Tensor rejected_P;   ///< int64: sequence of the other
  at::Tensor value_MK;     ///< what the value head says at each marked place; differentiable
  at::Tensor mark_M;       ///< int64: the sequence of each marked place, ascending; the last token of each, or every step's
  at::Tensor step_M;       ///< 1 good, 0 neutral, -1 bad step; NaN where the place is no step
  at::Tensor safe_B;       ///< 1 or 0; NaN where the data does not say
  at::Tensor class_B;      ///< int64; -1 where the data does not say
  at::Tensor mismatched_S;            ///< log-likelihood of another sample's answer to each prompt; no gradient
  at::Tensor mismatched_reference_S;  ///< the same under the reference

  /// Sum over each sequence's units: U -> B.
  at::Tensor sum(const at::Tensor& value_U) const {
    return at::zeros_like(length_B).index_add(0, sequence_U, value_U);
  }
  /// Mean over each sequence's units: U -> B; 0 for an empty answer.
  at::Tensor mean(const at::Tensor& value_U) const { return sum(value_U) / length_B.clamp_min(1); }
  /// Chosen and rejected: B -> (P, P).
  std::pair<at::Tensor, at::Tensor> pairs(const at::Tensor& value_B) const {
    return {value_B.index_select(0, chosen_P), value_B.index_select(0, rejected_P)};
  }
};

/// What a loss is a sum over. The engine divides by the count of it in the whole optimizer step, over all micro-batches.
enum class Unit { kToken, kSequence, kPair, kSample };

/// Reported as the mean over the step of all values that went in.
struct Metric {
  std::string name;   ///< "reward/margin"
  at::Tensor values;  ///< any shape; no gradient needed
};

struct Loss {
  at::Tensor numerator;  ///< a sum, fp32 scalar, differentiable. Never a mean.
  Unit unit = Unit::kToken;
  std::vector<Metric> metrics;
};

}  // namespace attune
