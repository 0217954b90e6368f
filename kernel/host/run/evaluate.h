// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kernel/host/engine_api.h"
#include "kernel/host/services/run_services.h"

namespace attune {

/// Scores the model with one entry of `[[evaluate]]`. Appends one line per sample to `rows`.
/// Returns
///   {"rows": n, "metrics": {name: {"value", "low", "high", "n"}}}
/// where a metric is the mean over the samples that have it, with its 95 % interval.
Json evaluate_one(const Json& entry, uint64_t seed, LanguageModel& model, RunServices& host,
                  std::string& rows);

/// Scores the model with every entry. Writes results.json and samples.jsonl into `folder`; returns
/// results.json's content:
///   {"model": path, "evaluate": {name of the entry: what evaluate_one returned}}
Json evaluate(const Json& run, const std::string& folder, Engine& engine, RunServices& host);

/// What the engine needs to open a run's model.
ModelRequest model_request(const Json& run);

}  // namespace attune
