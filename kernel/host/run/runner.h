// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/host/engine_api.h"
#include "kernel/host/run/summary.h"
#include "kernel/host/services/console.h"
#include "kernel/host/services/run_services.h"

namespace attune {

/// What a run gets from the process. The engine is loaded at the first call, so a run that has
/// nothing to do costs nothing.
struct RunEnvironment {
  std::function<Engine&()> engine;
  std::function<std::unique_ptr<RunServices>(const Json& run, const std::string& folder)> services;
  /// Versions and digests of the host, the engine and the plugins that the run may use.
  std::function<Json(const Json& run)> software;
  Console& console;
  std::string command_line;
};

/// A resolved manifest, and the same with secrets masked, for records.
struct ResolvedRun {
  Json run;
  Json redacted;
};

/// What to do with a folder that holds another run's results.
enum class OtherRun { kRefuse, kReplace };

/// Runs one train, evaluate or generate manifest in `folder`: skips it if the same run is finished
/// there, resumes it if it was cut short, else begins. Ends with record.toml.
StageOutcome run_one(const ResolvedRun& resolved, const std::string& folder, OtherRun other,
                     const RunEnvironment& environment);

/// Runs any manifest in `<output>/<name>`: one run, or the stages of a pipeline in their order.
std::vector<StageOutcome> run_manifest(const ResolvedRun& resolved,
                                       const RunEnvironment& environment);

/// The manifest of each stage of a pipeline: the top-level tables are defaults of every stage;
/// "@sft.final" becomes the path of that output.
std::vector<Json> stage_runs(const Json& pipeline);

/// `<output>/<name>`.
std::string run_folder(const Json& run);

}  // namespace attune
