// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "attune/algorithm.h"
#include "kernel/engine/loaded_model.h"
#include "kernel/engine/reference_scores.h"
#include "kernel/engine/training_data.h"
#include "kernel/host/engine_api.h"

namespace attune {

/// Samples, and what a reference says of them where that is stored.
struct Split {
  std::unique_ptr<TrainingData> data;
  std::unique_ptr<ReferenceScores> stored;
};

/// Identifies the weights that a run's model starts from.
std::string weights_digest(const Json& run, const LoadedModel& model);

/// The model that a policy is held to, or learns from: a second one that may move, or the policy as it
/// was before training, whose scores are computed once and stored.
class Reference {
 public:
  /// Reads the table [reference], and loads its model where that is live. Throws ExitError(kUsage)
  /// where it contradicts itself or the algorithm. REQUIRES: `policy` outlives this.
  Reference(const Json& run, const Needs& needs, LoadedModel& policy, bool adapted,
            HostServices& host);

  /// Whether scores are stored; else they are computed when they are asked for.
  bool cached() const { return cached_; }
  struct Work {
    Split& split;
    std::string plan;  ///< identifies `indices`, which are then asked for once; empty: nothing does
    std::function<std::vector<int64_t>()> indices;
  };
  /// Computes and stores the scores that are not there yet. REQUIRES: cached(), and a policy that is
  /// not trained yet.
  void complete(std::span<const Work> work);
  /// log-probability of each unit of the samples: U.
  at::Tensor units(Split& split, std::span<const int64_t> indices,
                   std::span<const Encoded* const> samples);
  /// Likeliest tokens of the teacher that are stored for each unit; 0: its distribution is not.
  int64_t top_k() const { return top_k_; }
  /// The model itself where it is live, or null.
  Model* live() const { return live_ ? live_->model : nullptr; }

  /// Towards the policy, at the steps that the manifest wants (Gorbatovski et al., 2024).
  void move(int64_t step);
  /// What moving changes.
  NamedTensors state() const;

 private:
  std::unique_ptr<LoadedModel> load() const;
  void complete(const Work& work, LoadedModel& model, const std::string& weights);

  const Json run_;
  const Json table_;
  LoadedModel& policy_;
  HostServices& host_;
  bool cached_;
  int64_t top_k_ = 0, sync_every_ = 0;
  double temperature_;
  std::unique_ptr<LoadedModel> live_;
};

}  // namespace attune
