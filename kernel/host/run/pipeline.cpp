// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <map>
#include <vector>

#include "kernel/host/exit.h"
#include "kernel/host/run/runner.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

/// The tables that each kind of run reads.
const std::map<std::string, std::vector<std::string>>& tables_of_kind() {
  static const std::map<std::string, std::vector<std::string>> kTables = {
      {"train",
       {"model", "reference", "data", "algorithm", "optimizer", "schedule", "train", "tracker"}},
      {"generate", {"model", "generator", "generate"}},
      {"evaluate", {"model", "generator", "evaluate"}}};
  return kTables;
}

std::string output_file(const std::string& output) {
  if (output == "answers") return "answers.jsonl";
  if (output == "results") return "results.json";
  return output;
}

/// "@sft.final" -> "<folder>/sft/final", where `sft` is a stage before this one.
std::string resolved_reference(const std::string& text, const std::string& folder,
                               const std::vector<std::string>& earlier) {
  const size_t dot = text.find('.');
  for (const std::string& stage : earlier) {
    if (dot != text.npos && text.substr(1, dot - 1) == stage) {
      return (fs::path(folder) / stage / output_file(text.substr(dot + 1))).string();
    }
  }
  std::string names;
  for (const std::string& stage : earlier) names += (names.empty() ? "" : ", ") + stage;
  throw ExitError(Exit::kManifest,
                  "\"" + text +
                      "\": names no output of an earlier stage; expected @stage.final, "
                      "@stage.answers or @stage.results, where stage is one of: " +
                      (names.empty() ? "(this is the first stage)" : names));
}

void resolve_references(Json& value, const std::string& folder,
                        const std::vector<std::string>& earlier) {
  if (value.is_structured()) {
    for (Json& item : value) resolve_references(item, folder, earlier);
    return;
  }
  if (!value.is_string()) return;
  const auto& text = value.get_ref<const std::string&>();
  const bool reference =
      text.starts_with("@") &&
      (text.ends_with(".final") || text.ends_with(".answers") || text.ends_with(".results"));
  if (reference) value = resolved_reference(text, folder, earlier);
}

Json stage_table(const Json& pipeline, const Json& stage) {
  Json run = pipeline.at("run");
  if (stage.contains("run")) run.update(stage["run"]);
  run["name"] = stage.at("name");
  run["kind"] = stage.at("kind");
  run["output"] = run_folder(pipeline);
  return run;
}

}  // namespace

std::vector<Json> stage_runs(const Json& pipeline) {
  const std::string folder = run_folder(pipeline);
  std::vector<Json> runs;
  std::vector<std::string> earlier;
  for (const Json& stage : pipeline.at("stage")) {
    Json run = {{"schema", pipeline.value("schema", 1)}, {"run", stage_table(pipeline, stage)}};
    for (const std::string& table : tables_of_kind().at(stage.at("kind"))) {
      const Json& from = stage.contains(table) ? stage : pipeline;
      if (from.contains(table)) run[table] = from[table];
    }
    resolve_references(run, folder, earlier);
    earlier.push_back(stage.at("name"));
    runs.push_back(std::move(run));
  }
  return runs;
}

}  // namespace attune
