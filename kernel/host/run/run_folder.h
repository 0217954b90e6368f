// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "kernel/host/json.h"
#include "kernel/host/run/metric_log.h"

/// What a run left, or has left so far.
namespace attune {

enum class Activity {
  kWaiting,  ///< nothing there yet
  kRunning,  ///< a process is at it
  kStopped,  ///< begun, not ended, and no process is at it: it was killed, or failed
  kFinished,
};

/// "waiting", "running", "stopped", "finished".
const char* activity_name(Activity activity);

struct RunFolder {
  std::string path;
  Json record = Json::object();    ///< record.toml; without "end" and "results" until the run ends
  Json manifest = Json::object();  ///< as a person writes it: options beside `use`
  Json plan = Json::object();      ///< plan.json, of a training run
  Json progress = Json::object();  ///< progress.json
  MetricLog metrics;
  Activity activity = Activity::kWaiting;

  bool finished() const { return activity == Activity::kFinished; }
  /// The last part of the path.
  std::string name() const;
  /// "train", "generate", "evaluate", "pipeline"; empty where it is not known.
  std::string kind() const;
  /// A key of the record's results, or null.
  Json result(const std::string& name) const;
  /// How many steps it makes, as far as that is known.
  std::optional<int64_t> steps() const;
  /// Stages of a pipeline, in order.
  std::vector<std::string> stages() const;
};

/// Whether a folder is a run's.
bool is_run(const std::string& folder);
/// Reads all but the metrics, of which at most the last `metric_bytes` are read. An empty or
/// missing folder is a run that waits.
RunFolder look_at_run(const std::string& folder, int64_t metric_bytes = INT64_MAX);
/// Reads again what has changed since. Returns whether there are other metrics.
bool refresh(RunFolder& run, int64_t metric_bytes = INT64_MAX);
/// Throws ExitError(kUsage) where the folder is none.
RunFolder read_run(const std::string& folder, int64_t metric_bytes = INT64_MAX);
/// The run itself, if `folder` is one, and all below it, by path; the stages of a pipeline in
/// order.
std::vector<RunFolder> runs_below(const std::string& folder, int64_t metric_bytes = INT64_MAX);

/// The shortest names that tell the runs apart.
std::vector<std::string> labels_of(const std::vector<RunFolder>& runs);

/// The value below `keys`; null where there is none.
const Json& under(const Json& root, std::initializer_list<const char*> keys);

/// "train.steps" -> value, for every plain value and list of a table.
std::vector<std::pair<std::string, Json>> flattened(const Json& table,
                                                    const std::string& prefix = "");

/// Keys of the manifests that are not the same in all runs: {"optimizer.learning_rate": [1e-5,
/// 2e-5]}; null where a run lacks one.
Json manifest_differences(const std::vector<RunFolder>& runs);

/// The first step at which the hashes of two runs differ (`state_hash`), and the last that both
/// have.
struct Divergence {
  int64_t first = 0;   ///< 0: they agree
  int64_t common = 0;  ///< 0: they have no step in common
};
Divergence divergence_of(const RunFolder& a, const RunFolder& b);

}  // namespace attune
