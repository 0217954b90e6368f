// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "attune/model.h"

/// What holds for every model, as numbers: how far one way of computing is from another, relative to the largest value.
namespace attune::conformance {

/// The likelihoods of samples packed together from those of each alone.
double packing_gap(Model& model, const std::vector<Encoded>& samples);
/// The likelihoods of one set of samples from those of another of the same units.
double likelihood_gap(Model& model, const std::vector<Encoded>& samples, const std::vector<Encoded>& others);
/// Hidden states made row by row with a cache, all sequences at a time, from those made at once. Samples of one answer.
double cache_gap(Model& model, const std::vector<Encoded>& samples);

/// Likelihood of every unit.
at::Tensor likelihoods(Model& model, const std::vector<Encoded>& samples);

}  // namespace attune::conformance
