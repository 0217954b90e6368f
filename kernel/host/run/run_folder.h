// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernel/host/json.h"

/// What a run left, or has left so far.
namespace attune {

struct RunFolder {
  std::string path;
  Json record = Json::object();  ///< record.toml; empty where the run has not ended
  std::vector<Json> metrics;  ///< rows of metrics.jsonl; a last line that is not whole is left out
  bool finished() const { return record.contains("results"); }
  std::string kind() const;
  /// A key of the record's results, or null.
  Json result(const std::string& name) const;
  /// The newest value of a metric, or null.
  Json last(const std::string& metric) const;
  /// (step, value) of each row that has the metric.
  std::vector<std::pair<double, double>> curve(const std::string& metric) const;
};

/// Whether a folder is a run's.
bool is_run(const std::string& folder);
/// Throws ExitError(kUsage) where it is none.
RunFolder read_run(const std::string& folder);
/// The run itself, if `folder` is one, and all below it, by path.
std::vector<RunFolder> runs_below(const std::string& folder);

/// "train.steps" -> value, for every plain value and list of a table.
std::vector<std::pair<std::string, Json>> flattened(const Json& table,
                                                    const std::string& prefix = "");

/// Keys of the manifests that are not the same in all runs: {"optimizer.learning_rate": [1e-5,
/// 2e-5]}; null where a run lacks one.
Json manifest_differences(const std::vector<RunFolder>& runs);

/// The first step at which the hashes of two runs differ (`state_hash`), and the last that both have.
struct Divergence {
  int64_t first = 0;   ///< 0: they agree
  int64_t common = 0;  ///< 0: they have no step in common
};
Divergence divergence_of(const RunFolder& a, const RunFolder& b);

/// One self-contained page: curves of all runs in the same axes, what their manifests differ in,
/// results, answers.
std::string report_html(const std::vector<RunFolder>& runs);

}  // namespace attune
