// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/runner.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>

#include "kernel/host/exit.h"
#include "kernel/host/run/evaluate.h"
#include "kernel/host/run/folder_lock.h"
#include "kernel/host/run/generate.h"
#include "kernel/host/run/record.h"
#include "kernel/host/run/stamp.h"
#include "kernel/host/services/clock.h"
#include "kernel/host/services/progress.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

/// The most memory that this process held since `reset`.
struct PeakMemory {
  static void reset() { std::ofstream("/proc/self/clear_refs") << 5; }
  static int64_t bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
    }
    return 0;
  }
};

void clear_folder(const std::string& folder) {
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename() != ".lock") fs::remove_all(entry.path());
  }
}

bool outputs_exist(const std::string& kind, const std::string& folder) {
  const std::string output = kind == "train"      ? "final"
                             : kind == "generate" ? "answers.jsonl"
                                                  : "results.json";
  return fs::exists(fs::path(folder) / output);
}

Json execute(const std::string& kind, const Json& run, const std::string& folder,
             const RunEnvironment& environment, RunServices& host) {
  const EngineOf open = [&]() -> Engine& {
    Engine& engine = environment.engine();
    engine.threads(run.at("run").value("threads", 0));
    return engine;
  };
  if (kind == "train") return open().train(run, folder, host);
  if (kind == "evaluate") return evaluate(run, folder, open, host);
  if (kind == "generate") return generate(run, folder, open, host);
  throw ExitError(
      Exit::kManifest,
      "run.kind: expected train, generate, evaluate or pipeline, found \"" + kind + "\"");
}

void note(const RunEnvironment& environment, const std::string& line) {
  if (!environment.console.quiet) environment.console.err << line << std::endl;
}

}  // namespace

std::string run_folder(const Json& run) {
  const Json& table = run.at("run");
  return (fs::path(table.at("output").get<std::string>()) / table.at("name").get<std::string>())
      .string();
}

StageOutcome run_one(const ResolvedRun& resolved, const std::string& folder, OtherRun other,
                     const RunEnvironment& environment) {
  using Found = RunState::Found;
  const Json& run = resolved.run;
  StageOutcome outcome{run.at("run").at("name"), run.at("run").at("kind"), folder, false,
                       Json::object()};
  fs::create_directories(folder);
  const FolderLock lock(folder);
  const RunState state(folder);
  Json software;
  const auto take_stamp = [&] { return software = environment.software(run), stamp_of(run, software, fs::path(folder) / "index/digests.json"); };
  // Where there is surely work to do, the engine is opened while files are read for their digests.
  auto early = state.finished() ? std::future<Stamp>() : std::async(std::launch::async, take_stamp);
  if (early.valid() && !run.contains("generator")) environment.engine();
  const Stamp stamp = early.valid() ? early.get() : take_stamp();

  const Found found = state.compare(stamp);
  if (found == Found::kSameFinished && outputs_exist(outcome.kind, folder)) {
    note(environment, outcome.name + ": skipped, unchanged");
    outcome.skipped = true;
    outcome.results = state.results();
    return outcome;
  }
  if (found == Found::kOther) {
    const std::string what = state.difference_to(stamp);
    if (other == OtherRun::kRefuse) {
      throw ExitError(Exit::kManifest,
                      folder + ": holds another run (what differs: " + what +
                          "). Give this one another run.name, or remove the folder to begin anew");
    }
    note(environment, outcome.name + ": begins anew, changed: " + what);
    clear_folder(folder);
  }
  if (found == Found::kSameUnfinished) note(environment, outcome.name + ": goes on in " + folder);
  if (found == Found::kNothing) note(environment, outcome.name + ": begins in " + folder);
  if (found == Found::kNothing || found == Found::kOther) state.begin(stamp);

  const auto services = environment.services(run, folder);
  RecordFacts facts{.manifest = resolved.redacted,
                    .command_line = environment.command_line,
                    .software = software,
                    .start = utc_now()};
  write_record(folder, facts);
  const auto begun = std::chrono::steady_clock::now();
  PeakMemory::reset();
  outcome.results = execute(outcome.kind, run, folder, environment, *services);
  if (!outcome.results.contains("peak_memory_bytes"))
    outcome.results["peak_memory_bytes"] = PeakMemory::bytes();
  outcome.results["seconds"] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  facts.notes = services->notes();
  facts.notes["inputs"] = stamp.parts["inputs"];
  facts.end = utc_now();
  facts.results = outcome.results;
  write_record(folder, facts);
  state.finish(stamp, outcome.results);
  return outcome;
}

std::vector<StageOutcome> run_manifest(const ResolvedRun& resolved,
                                       const RunEnvironment& environment) {
  const Json& table = resolved.run.at("run");
  const std::string folder = run_folder(resolved.run);
  if (table.at("kind") != "pipeline")
    return {run_one(resolved, folder, OtherRun::kRefuse, environment)};

  const std::vector<Json> runs = stage_runs(resolved.run), redacted = stage_runs(resolved.redacted);
  fs::create_directories(folder);
  RecordFacts facts{.manifest = resolved.redacted,
                    .command_line = environment.command_line,
                    .software = environment.software(resolved.run),
                    .start = utc_now()};
  write_record(folder, facts);
  std::vector<StageOutcome> outcomes;
  Json results = Json::object();
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::string name = runs[i].at("run").at("name");
    note(environment, "stage " + std::to_string(i + 1) + "/" + std::to_string(runs.size()) + ": " +
                          name + " (" + runs[i].at("run").at("kind").get<std::string>() + ")");
    outcomes.push_back(
        run_one({runs[i], redacted[i]}, folder + "/" + name, OtherRun::kReplace, environment));
    results[name] = outcomes.back().results;
  }
  facts.end = utc_now();
  facts.results = results;
  write_record(folder, facts);
  return outcomes;
}

}  // namespace attune
