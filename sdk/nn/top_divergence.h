// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "attune/model.h"
#include "attune/scores.h"

namespace attune::nn {

/// The teacher's K likeliest tokens of each unit and their log-probabilities at a temperature: (U x
/// K int64, U x K fp32). No gradient; logits are made for some units at a time.
std::pair<at::Tensor, at::Tensor> top_tokens(const at::Tensor& hidden_UE, const Head& head,
                                             int64_t k, double temperature);

/// As `divergence`, of distributions over the teacher's K likeliest tokens and one event for all
/// others: U. Never larger than the divergence over the whole vocabulary (data processing
/// inequality; Cover and Thomas, 2006, section 2.8), equal to it for K = V. Differentiable in the
/// student's hidden state and head. `target_U` may be any token of each unit.
at::Tensor top_divergence(const at::Tensor& student_UD, const Head& student,
                          const at::Tensor& target_U, const at::Tensor& ids_UK,
                          const at::Tensor& teacher_UK, const DivergenceKind& kind);

}  // namespace attune::nn
