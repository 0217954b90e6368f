// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kernel/engine/batch.h"
#include "kernel/engine/training_data.h"
#include "kernel/host/run/stored_scores.h"

namespace attune {

/// What a reference says of every unit of a sample (its log-likelihood, or more), computed once and kept in a folder named by
/// what it depends on: the reference's weights and dtype, the data and its encoding. A file is added every half minute, so that
/// a killed process loses no more than that; a damaged one is computed again.
class ReferenceScores {
 public:
  /// Numbers of packed samples, one vector per sample.
  using Scorer = std::function<std::vector<std::vector<float>>(std::span<const Encoded* const>)>;

  /// `key` names the folder below `folder`.
  ReferenceScores(const std::string& folder, const std::string& key, HostServices& host);

  /// Whether `mark_complete` was called for `plan` and its files are still there: then no sample needs to be looked up.
  bool complete_for(const std::string& plan) const;
  void mark_complete(const std::string& plan) const;
  /// Computes, in micro-batches of `budget` rows, what is missing of `indices`. Samples are scored in groups that depend on
  /// `indices` alone: a resumed process packs them as the killed one did, and gets the same bits.
  void complete(std::span<const int64_t> indices, TrainingData& data, const Scorer& score, int64_t budget);
  /// The numbers of these samples, concatenated: fp32.
  at::Tensor of(std::span<const int64_t> indices) const;
  const StoredScores& stored() const { return stored_; }

 private:
  using Scores = std::map<int64_t, std::vector<float>>;

  void add(const Scores& scores);

  StoredScores stored_;
  HostServices& host_;
};

/// Units of packed samples under `model`, one vector per sample, without gradients.
std::vector<std::vector<float>> score_units(std::span<const Encoded* const> samples, LoadedModel& loaded);

/// The k likeliest tokens of each unit at a temperature, k ids (exact in fp32), then k log-probabilities.
std::vector<std::vector<float>> top_units(std::span<const Encoded* const> samples, LoadedModel& loaded, int64_t k, double temperature);

}  // namespace attune
