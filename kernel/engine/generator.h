// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/engine/loaded_model.h"
#include "kernel/engine/sampler.h"

namespace attune {

/// A generation request, owned.
struct Prompt {
  uint64_t id = 0, seed = 0;
  std::vector<int64_t> ids;
  int64_t max_tokens = 128;
  Sampling sampling;
  std::vector<std::string> stops;
};

struct Completion {
  uint64_t id = 0;
  std::string text;
  std::vector<int64_t> ids;
  std::vector<double> logprobs;
  int32_t stop = ATTUNE_STOP_LENGTH;
};

/// The engine's sampler: ragged prefill, then one row per sequence and step; a finished sequence's place goes to the next
/// prompt at once. Random streams belong to requests, so an answer does not depend on its neighbours.
class Generator {
 public:
  /// `batch`: sequences in flight. Without `cache`, every step computes the whole sequence again (for comparison).
  Generator(LoadedModel& loaded, int64_t batch, bool cache);
  void run(std::vector<Prompt> prompts, const std::function<void(const Completion&)>& done);

 private:
  struct Sequence {
    Prompt prompt;
    Completion answer;
    int64_t fed = 0;  ///< rows whose keys are in the cache
    int64_t slot = 0;
    bool finished = false;
  };
  at::Tensor last_hidden(std::vector<Sequence*>& active);
  void append(Sequence& sequence, const Sampled& token);

  LoadedModel& loaded_;
  int64_t batch_;
  bool use_cache_;
  std::vector<int64_t> end_ids_;
  std::unique_ptr<Cache> cache_;
};

}  // namespace attune
