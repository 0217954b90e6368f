// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/manifest/nearest.h"
#include "kernel/host/run/runner.h"
#include "kernel/host/services/services.h"

namespace attune {
namespace {

constexpr int64_t kRowsTried = 16;

Json diagnostic_json(const Diagnostic& of) {
  return {{"file", of.file},       {"line", of.line},      {"column", of.column},
          {"message", of.message}, {"expected", of.label}, {"cure", of.cure}};
}

/// What a run is made of: its model, algorithm, data and evaluators.
std::vector<std::string> facts_of(const Json& run) {
  std::vector<std::string> facts;
  const auto use = [](const Json& table) { return table.value("use", ""); };
  if (run.contains("model")) {
    const Json& model = run["model"];
    facts.push_back("model " + (use(model).empty() ? "" : use(model) + " ") +
                    model.value("path", ""));
  }
  if (run.contains("generator")) facts.push_back("generator " + use(run["generator"]));
  if (run.contains("algorithm")) facts.push_back("algorithm " + use(run["algorithm"]));
  for (const char* split : {"train", "eval"}) {
    if (!run.contains("data") || !run["data"].contains(split)) continue;
    for (const Json& data : run["data"][split])
      facts.push_back(std::string(split) + " data " + data.value("path", ""));
  }
  if (run.contains("generate"))
    facts.push_back("prompts " + run["generate"].at("data").value("path", ""));
  if (run.contains("evaluate")) {
    for (const Json& entry : run["evaluate"]) facts.push_back("evaluator " + use(entry));
  }
  return facts;
}

/// Every data entry of a run.
std::vector<Json> data_of(const Json& run) {
  std::vector<Json> found;
  for (const char* split : {"train", "eval", "heldout"}) {
    if (!run.contains("data") || !run["data"].contains(split)) continue;
    for (const Json& data : run["data"][split]) found.push_back(data);
  }
  if (run.contains("generate")) found.push_back(run["generate"].at("data"));
  if (run.contains("evaluate")) {
    for (const Json& entry : run["evaluate"]) found.push_back(entry.at("data"));
  }
  return found;
}

/// Maps the first rows of a file; throws ExitError(kData) where they do not.
Json try_data(const Json& data, Services& services) {
  SamplePlugins plugins = services.sample_plugins(data);
  const FirstRows found = map_first_rows(plugins, kRowsTried);
  const double allowed = data.value("max_dropped", 0.0);
  if (found.samples == 0 || (!found.dropped.empty() && allowed == 0)) {
    std::string why = data.at("path").get<std::string>() + ": " +
                      std::to_string(found.dropped.size()) + " of the first " +
                      std::to_string(found.rows) + " rows do not map with dataset \"" +
                      data.at("use").get<std::string>() + "\"";
    for (const DroppedRow& row : found.dropped)
      why += "\n  " + row.row + ": " + row.why;
    throw ExitError(Exit::kData, why + (found.rows == 0 ? "\n  the file has no rows" : ""));
  }
  return {{"path", data.at("path")}, {"rows", found.rows}, {"samples", found.samples}};
}

std::vector<Json> runs_of(const Json& resolved) {
  return resolved.at("run").at("kind") == "pipeline" ? stage_runs(resolved)
                                                     : std::vector<Json>{resolved};
}

Json check_data(const Json& resolved, CheckedRun& checked, Console& console) {
  Services services(*checked.installation, console);
  Json tried = Json::array();
  std::vector<std::string> done;
  const std::string own = run_folder(resolved) + "/";
  for (const Json& run : runs_of(resolved)) {
    for (const Json& data : data_of(run)) {
      const bool of_a_stage = data.at("path").get<std::string>().starts_with(own);
      if (of_a_stage || std::find(done.begin(), done.end(), data.dump()) != done.end()) continue;
      done.push_back(data.dump());
      tried.push_back(try_data(data, services));
    }
  }
  return tried;
}

void print_ok(const Json& resolved, const Json& tried, Console& console) {
  const Json& table = resolved.at("run");
  console.out << "ok: " << table.at("kind").get<std::string>() << " \""
              << table.at("name").get<std::string>() << "\"";
  if (table.at("kind") == "pipeline") {
    console.out << ", " << resolved.at("stage").size() << " stages\n";
    for (const Json& run : runs_of(resolved)) {
      console.out << "  " << run["run"]["name"].get<std::string>() << " ("
                  << run["run"]["kind"].get<std::string>() << "): " << join(facts_of(run)) << "\n";
    }
  } else {
    console.out << ", " << join(facts_of(resolved)) << "\n";
  }
  for (const Json& data : tried) {
    console.out << "  " << data["path"].get<std::string>() << ": the first " << data["rows"]
                << " rows map to " << data["samples"] << " samples\n";
  }
}

int check_quietly(const Arguments& arguments, Context& context) {
  try {
    CheckedRun checked = load_checked(arguments, context);
    enforce_lock(arguments, checked);
    const Json& resolved = checked.manifest.resolved;
    Json answer = {{"ok", true},
                   {"kind", resolved.at("run").at("kind")},
                   {"name", resolved.at("run").at("name")}};
    if (arguments.flag("data")) answer["data"] = check_data(resolved, checked, context.console);
    context.console.out << answer.dump(2) << "\n";
    return 0;
  } catch (const ManifestError& error) {
    Json answer = {{"ok", false}, {"diagnostics", Json::array()}};
    for (const Diagnostic& diagnostic : error.diagnostics())
      answer["diagnostics"].push_back(diagnostic_json(diagnostic));
    context.console.out << answer.dump(2) << "\n";
    return static_cast<int>(error.exit());
  }
}

int check(const Arguments& arguments, Context& context) {
  if (arguments.flag("json")) return check_quietly(arguments, context);
  CheckedRun checked = load_checked(arguments, context);
  enforce_lock(arguments, checked);
  const Json& resolved = checked.manifest.resolved;
  const Json tried =
      arguments.flag("data") ? check_data(resolved, checked, context.console) : Json::array();
  print_ok(resolved, tried, context.console);
  return 0;
}

}  // namespace

Command check_command() {
  CommandSpec spec{"check",
                   "Prove a manifest without running anything; opens no plugin",
                   "attune check configs/quickstart.toml --data",
                   {{"FILE", "The manifest (TOML)"}},
                   manifest_options()};
  spec.options.push_back(
      {"data", "", "Also map the first rows of each data file; opens the data plugins"});
  spec.options.push_back(locked_option());
  spec.options.push_back({"json", "", "Print the verdict as JSON"});
  return {spec, &check};
}

}  // namespace attune
