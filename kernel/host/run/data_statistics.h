// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "kernel/host/engine_api.h"
#include "kernel/host/run/distribution.h"

namespace attune {

/// What there is to say of samples before a model learns from them.
class DataStatistics {
 public:
  /// `max_length`: tokens of the longest sequence that training reads, 0: no bound. `scored`:
  /// "assistant", "last" or "all".
  DataStatistics(const Tokenizer& tokenizer, int64_t max_length, std::string scored)
      : tokenizer_(tokenizer), max_length_(max_length), scored_(std::move(scored)) {}

  void add(const attune_sample& sample);

  /// {"samples", "conversations", "shapes": {"pair": n}, "turns", "prompt_tokens", "answer_tokens",
  /// "conversation_tokens": distributions, "scored_tokens", "longer", "tokens_cut", "duplicates",
  /// "prompts_repeated", "judged_again", "disagree"}. A duplicate has the prompt, answers and
  /// judgement of an earlier sample. Judged again: the same prompt and answers as an earlier
  /// sample; disagree: with another order, rating or label.
  Json json() const;

 private:
  const Tokenizer& tokenizer_;
  int64_t max_length_;
  std::string scored_;
  Distribution turns_, prompt_, answer_, conversation_;
  Json shapes_ = Json::object();
  int64_t samples_ = 0, scored_tokens_ = 0, longer_ = 0, cut_ = 0, duplicates_ = 0,
          prompts_repeated_ = 0, judged_again_ = 0, disagree_ = 0;
  std::unordered_set<std::string> judgements_;
  std::unordered_map<std::string, std::string> contents_;  ///< content -> its first judgement
  std::unordered_map<std::string, int64_t> prompts_;
};

/// Lines for a terminal.
std::string statistics_text(const Json& statistics, int64_t max_length);

/// A page that needs nothing beside it. `entries`: [{"title", "statistics", "dropped"}].
std::string statistics_html(const Json& entries, int64_t max_length);

}  // namespace attune
