// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernel/engine/batch.h"
#include "kernel/engine/training_data.h"

namespace attune {

/// What a reference says of every unit of a sample (its log-likelihood, or more), computed once and kept in a file named by
/// what it depends on: the reference's weights and dtype, the data and its encoding.
class ReferenceScores {
 public:
  /// Numbers of packed samples, one vector per sample.
  using Scorer = std::function<std::vector<std::vector<float>>(std::span<const Encoded* const>)>;

  /// `key` names the file in `folder`.
  ReferenceScores(std::string folder, std::string key, HostServices& host);

  /// Computes, in micro-batches of `budget` rows, what the file lacks of `indices`, and writes the file anew. Returns how
  /// many samples were computed.
  int64_t complete(std::span<const int64_t> indices, TrainingData& data, const Scorer& score, int64_t budget);
  /// Whether nothing of `indices` is missing.
  bool has(std::span<const int64_t> indices, TrainingData& data) const;
  /// The numbers of these samples, concatenated: fp32.
  at::Tensor of(std::span<const int64_t> indices) const;

 private:
  void read();
  void write() const;

  std::string path_;
  HostServices& host_;
  std::unordered_map<int64_t, std::vector<float>> scores_;
};

/// Units of packed samples under `model`, one vector per sample, without gradients.
std::vector<std::vector<float>> score_units(std::span<const Encoded* const> samples, LoadedModel& loaded);

/// The k likeliest tokens of each unit at a temperature, k ids (exact in fp32), then k log-probabilities.
std::vector<std::vector<float>> top_units(std::span<const Encoded* const> samples, LoadedModel& loaded, int64_t k, double temperature);

}  // namespace attune
