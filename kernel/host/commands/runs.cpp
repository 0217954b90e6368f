// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/run/layout.h"
#include "kernel/host/run/run_folder.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

std::string digits(const Json& value, int places) {
  if (!value.is_number())
    return value.is_null() ? "" : value.is_string() ? value.get<std::string>() : value.dump();
  if (value.is_number_integer()) return value.dump();
  char text[32];
  std::snprintf(text, sizeof text, "%.*g", places, value.get<double>());
  return text;
}

std::vector<RunFolder> named_runs(const Arguments& arguments) {
  std::vector<RunFolder> runs;
  for (const std::string& path : arguments.all("RUN")) runs.push_back(read_run(path));
  return runs;
}

int list(const Arguments& arguments, Context& context) {
  const std::string folder = arguments.text("FOLDER", "runs");
  const std::vector<RunFolder> runs = runs_below(folder);
  if (arguments.flag("json")) {
    Json rows = Json::array();
    for (const RunFolder& run : runs) {
      rows.push_back({{"path", run.path},
                      {"kind", run.kind()},
                      {"finished", run.finished()},
                      {"step", run.last("step")},
                      {"steps", run.result("steps")},
                      {"loss", run.last("loss")},
                      {"end", run.record.value("end", Json())}});
    }
    context.console.out << rows.dump(2) << "\n";
    return 0;
  }
  TextTable table({"run", "kind", "state", "step", "loss", "accuracy", "tokens/s", "ended"});
  for (const RunFolder& run : runs) {
    table.add({std::filesystem::path(run.path).lexically_relative(folder).string(), run.kind(),
               run.finished() ? "finished" : "not ended", digits(run.last("step"), 6),
               digits(run.last("loss"), 4), digits(run.last("reward/accuracy"), 3),
               digits(run.result("tokens_per_s"), 4), run.record.value("end", "")});
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
  const std::vector<RunFolder> runs = named_runs(arguments);
  if (runs.size() < 2) throw ExitError(Exit::kUsage, "runs compare needs two runs or more");
  std::vector<std::string> header = {""};
  for (const RunFolder& run : runs)
    header.push_back(std::filesystem::path(run.path).lexically_normal().filename().string());
  TextTable manifests(header), metrics(header);
  const Json differ = manifest_differences(runs);
  for (const auto& [key, values] : differ.items()) {
    std::vector<std::string> row = {key};
    for (const Json& value : values) row.push_back(digits(value, 6));
    manifests.add(row);
  }
  std::vector<std::string> names;
  for (const RunFolder& run : runs) {
    const Json newest = run.metrics.empty() ? Json::object() : run.metrics.back();
    for (const auto& [name, value] : newest.items()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  for (const std::string& name : names) {
    std::vector<std::string> row = {name};
    for (const RunFolder& run : runs) row.push_back(digits(run.last(name), 6));
    metrics.add(row);
  }
  context.console.out << (manifests.empty() ? "the manifests are the same\n"
                                            : "manifest\n" + manifests.text())
                      << (metrics.empty() ? "" : "\nlast step\n" + metrics.text());
  if (const std::string text = divergences(runs); !text.empty()) context.console.out << "\n" << text;
  return 0;
}

int report(const Arguments& arguments, Context& context) {
  std::vector<RunFolder> runs;
  for (const std::string& path : arguments.all("RUN")) {
    for (RunFolder& run : runs_below(path)) runs.push_back(std::move(run));
  }
  if (runs.empty()) throw ExitError(Exit::kUsage, "no run found there");
  const std::string file = arguments.text("out", "report.html");
  write_atomically(file, report_html(runs));
  context.console.out << file << ": " << runs.size() << (runs.size() == 1 ? " run\n" : " runs\n");
  return 0;
}

}  // namespace

Command runs_list_command() {
  return {{"runs list",
           "Runs below a folder: state, last loss, speed",
           "attune runs list runs",
           {{"[FOLDER]", "Where to look (default: runs)"}},
           {{"json", "", "Print JSON"}}},
          &list};
}

Command runs_compare_command() {
  return {{"runs compare",
           "What runs differ in: manifests, last metrics, the first step with other bits",
           "attune runs compare runs/a runs/b",
           {{"RUN...", "Folders of two runs or more"}},
           {}},
          &compare};
}

Command report_command() {
  return {{"report",
           "One page on runs, to look at in a browser: curves, differences, results, answers",
           "attune report runs/quickstart --out report.html",
           {{"RUN...", "Folders of runs; of a pipeline all its stages"}},
           {{"out", "FILE", "The page (default: report.html)"}}},
          &report};
}

}  // namespace attune
