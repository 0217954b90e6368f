// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/run/layout.h"
#include "kernel/host/run/metric_words.h"
#include "kernel/host/run/run_folder.h"

namespace attune {
namespace {

constexpr int64_t kNewestRows = 64 << 10;  // Bytes at the end of metrics.jsonl.

Json newest(const RunFolder& run, const char* metric) {
  const auto value = run.metrics.newest(metric);
  return value && std::isfinite(*value) ? Json(*value) : Json();
}

std::string step_text(const RunFolder& run) {
  if (!run.metrics.step()) return "";
  const auto steps = run.steps();
  return std::to_string(*run.metrics.step()) + (steps ? "/" + std::to_string(*steps) : "");
}

std::string metric_cell(const RunFolder& run, const std::string& metric) {
  const auto value = run.metrics.newest(metric);
  return value ? metric_text(metric, *value) : "";
}

int list(const Arguments& arguments, Context& context) {
  const std::string folder = arguments.text("FOLDER", "runs");
  const std::vector<RunFolder> runs = runs_below(folder, kNewestRows);
  if (arguments.flag("json")) {
    Json rows = Json::array();
    for (const RunFolder& run : runs) {
      rows.push_back({{"path", run.path},
                      {"kind", run.kind()},
                      {"state", activity_name(run.activity)},
                      {"finished", run.finished()},
                      {"step", run.metrics.step() ? Json(*run.metrics.step()) : Json()},
                      {"steps", run.steps() ? Json(*run.steps()) : Json()},
                      {"loss", newest(run, "loss")},
                      {"start", under(run.record, {"start"})},
                      {"end", under(run.record, {"end"})}});
    }
    context.console.out << rows.dump(2) << "\n";
    return 0;
  }
  TextTable table({"run", "kind", "state", "step", "loss", "accuracy", "tokens/s", "ended"});
  for (const RunFolder& run : runs) {
    const std::string name = std::filesystem::path(run.path).lexically_relative(folder).string();
    const Json speed = run.result("tokens_per_s");
    table.add({name == "." ? run.name() : name, run.kind(), activity_name(run.activity),
               step_text(run), metric_cell(run, "loss"), metric_cell(run, "reward/accuracy"),
               speed.is_number() ? metric_text("tokens_per_s", speed.get<double>())
                                 : metric_cell(run, "tokens_per_s"),
               value_text(under(run.record, {"end"}))});
  }
  context.console.out << (table.empty() ? folder + " holds no runs\n" : table.text());
  return 0;
}

/// Up to where each run has the bits of the first.
std::string divergences(const std::vector<RunFolder>& runs) {
  std::string text;
  for (size_t i = 1; i < runs.size(); ++i) {
    const Divergence found = divergence_of(runs[0], runs[i]);
    if (found.common == 0) continue;
    text += runs[i].path +
            (found.first == 0 ? ": the same bits as " + runs[0].path + " up to step " +
                                    std::to_string(found.common)
                              : ": other bits than " + runs[0].path + " from step " +
                                    std::to_string(found.first) + " on") +
            "\n";
  }
  return text;
}

int compare(const Arguments& arguments, Context& context) {
  std::vector<RunFolder> runs;
  for (const std::string& path : arguments.all("RUN")) runs.push_back(read_run(path));
  if (runs.size() < 2) throw ExitError(Exit::kUsage, "runs compare needs two runs or more");
  std::vector<std::string> header = {""};
  for (const std::string& label : labels_of(runs)) header.push_back(label);
  TextTable manifests(header), metrics(header);
  const Json differ = manifest_differences(runs);
  for (const auto& [key, values] : differ.items()) {
    std::vector<std::string> row = {key};
    for (const Json& value : values) row.push_back(value_text(value));
    manifests.add(row);
  }
  std::vector<std::string> names, steps = {"step"};
  for (const RunFolder& run : runs) {
    steps.push_back(step_text(run));
    for (const std::string& name : run.metrics.names()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  if (!names.empty()) metrics.add(steps);
  for (const std::string& name : ordered_metrics(names)) {
    std::vector<std::string> row = {name};
    for (const RunFolder& run : runs) row.push_back(metric_cell(run, name));
    metrics.add(row);
  }
  context.console.out << (manifests.empty() ? "the manifests are the same\n"
                                            : "manifest\n" + manifests.text())
                      << (metrics.empty() ? "" : "\nnewest metrics\n" + metrics.text());
  if (const std::string text = divergences(runs); !text.empty())
    context.console.out << "\n" << text;
  return 0;
}

}  // namespace

Command runs_list_command() {
  return {{"runs list",
           "Runs below a folder: state, step, loss, speed",
           "attune runs list runs",
           {{"[FOLDER]", "Where to look (default: runs)"}},
           {{"json", "", "Print JSON"}}},
          &list};
}

Command runs_compare_command() {
  return {{"runs compare",
           "What runs differ in: manifests, newest metrics, the first step with other bits",
           "attune runs compare runs/a runs/b",
           {{"RUN...", "Folders of two runs or more"}},
           {}},
          &compare};
}

}  // namespace attune
