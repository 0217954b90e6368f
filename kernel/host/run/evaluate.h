// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kernel/host/run/answerer.h"
#include "kernel/host/services/run_services.h"

namespace attune {

/// Scores the generator with one entry of `[[evaluate]]`. Appends one line per sample to `rows`.
/// Returns
///   {"rows": n, "metrics": {name: {"value", "low", "high", "n"}}}
/// where a metric is the mean over the samples that have it, with its 95 % interval.
Json evaluate_one(const Json& entry, uint64_t seed, attune_generator& generator, RunServices& host,
                  std::string& rows);

/// Scores who answers with every entry. Writes results.json and samples.jsonl into `folder`; returns
/// results.json's content:
///   {"model": its path or the generator, "evaluate": {name of the entry: what evaluate_one returned}}
Json evaluate(const Json& run, const std::string& folder, const EngineOf& engine,
              RunServices& host);

}  // namespace attune
