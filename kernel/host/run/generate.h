// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kernel/host/engine_api.h"
#include "kernel/host/run/answerer.h"
#include "kernel/host/run/requests.h"
#include "kernel/host/services/run_services.h"

namespace attune {

/// How an answer is sampled; the resolved `[generate]` table.
struct Sampling {
  int64_t max_tokens = 128;
  double temperature = 0;
  int64_t top_k = 0;
  double top_p = 1;
  uint64_t seed = 0;
  std::vector<std::string> stop;

  static Sampling from(const Json& table);
};

/// A request for the turns; borrowed from `turns` and `stops`.
attune_request generation_request(std::span<const attune_turn> turns, const Sampling& sampling,
                                  std::span<const attune_str> stops);

/// The turns of a sample that come before the answer: the shared prompt where there is one, else
/// all before the last assistant turn.
std::span<const attune_turn> prompt_of(const attune_sample& sample);

/// Answers the prompts of `[generate] data`. Writes answers.jsonl ({"id", "prompt", "text", "ids",
/// "logprobs", "stop"}) into `folder`; returns {"rows", "tokens"}.
Json generate(const Json& run, const std::string& folder, const EngineOf& engine,
              RunServices& host);

}  // namespace attune
