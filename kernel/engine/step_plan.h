// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "kernel/host/json.h"

namespace attune {

/// Which samples each optimizer step sees: a pure function of seed, data and the manifest, so that
/// a step number is an exact cursor. Entries without weights are one stream, shuffled anew each
/// epoch. With weights, the next sample is of the entry that is furthest behind its share (of
/// samples, or of tokens); each entry is shuffled and repeated on its own.
class StepPlan {
 public:
  /// What a plan found out by counting.
  struct Known {
    std::vector<int64_t> ends;     ///< position in the stream of samples after each step
    std::vector<int64_t> mixture;  ///< the samples of a mixture, as far as they are used
  };
  /// `sizes`: samples of each entry of [[data.train]]. `tokens_of` a sample, 0 where it is dropped;
  /// asked only where a length is counted in tokens.
  StepPlan(const Json& train, const Json& data, uint64_t seed, const std::vector<int64_t>& sizes,
           std::function<int64_t(int64_t)> tokens_of, std::optional<Known> known = std::nullopt);

  Known known() const { return {ends_, mixture_}; }

  int64_t steps() const { return int64_t(ends_.size()); }
  /// Sample indices of step 1, 2, ....
  std::vector<int64_t> samples(int64_t step) const;
  /// Every sample that some step sees, ascending.
  std::vector<int64_t> used() const;
  double epochs() const { return ends_.empty() ? 0 : double(ends_.back()) / double(size_); }

 private:
  int64_t index_at(int64_t position) const;
  /// The sample of `draw` in a stream of `size` samples that are repeated.
  int64_t drawn(uint64_t stream, int64_t draw, int64_t size) const;
  void extend_mixture();

  uint64_t seed_;
  std::vector<int64_t> sizes_, firsts_,
      drawn_;  // Of each entry: samples, first index, draws so far.
  std::vector<double> weights_, taken_;
  bool shuffle_, by_tokens_;
  std::function<int64_t(int64_t)> tokens_of_;
  int64_t size_ = 0;
  std::vector<int64_t> mixture_;  // The samples of a mixture as far as they are known.
  std::vector<int64_t> ends_;     // Position in the stream of samples after each step.
};

}  // namespace attune
