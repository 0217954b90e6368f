// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/run_folder.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>

#include "kernel/host/exit.h"
#include "kernel/host/manifest/toml_text.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace fs = std::filesystem;

std::string RunFolder::kind() const {
  const Json manifest = record.value("manifest", Json::object());
  if (manifest.contains("run")) return manifest["run"].value("kind", "");
  return metrics.empty() ? "" : "train";
}

Json RunFolder::result(const std::string& name) const {
  return record.value("results", Json::object()).value(name, Json());
}

Json RunFolder::last(const std::string& metric) const {
  for (auto row = metrics.rbegin(); row != metrics.rend(); ++row) {
    if (row->contains(metric)) return row->at(metric);
  }
  return nullptr;
}

std::vector<std::pair<double, double>> RunFolder::curve(const std::string& metric) const {
  std::vector<std::pair<double, double>> points;
  for (const Json& row : metrics) {
    if (row.contains(metric) && row[metric].is_number())
      points.emplace_back(row.value("step", 0.0), row[metric].get<double>());
  }
  return points;
}

bool is_run(const std::string& folder) {
  return fs::exists(fs::path(folder) / "begun.json") ||
         fs::exists(fs::path(folder) / "record.toml") ||
         fs::exists(fs::path(folder) / "metrics.jsonl");
}

RunFolder read_run(const std::string& folder) {
  if (!is_run(folder)) {
    throw ExitError(Exit::kUsage,
                    folder + (fs::is_directory(folder)
                                  ? ": is no run: it has no record.toml and no metrics.jsonl"
                                  : ": there is no such folder"));
  }
  RunFolder run;
  run.path = folder;
  if (const fs::path file = fs::path(folder) / "record.toml"; fs::exists(file))
    run.record = manifest::to_json(manifest::parse_toml(read_text(file), nullptr));
  if (const fs::path file = fs::path(folder) / "metrics.jsonl"; fs::exists(file)) {
    std::istringstream lines(read_text(file));
    for (std::string line; std::getline(lines, line);) {
      Json row = Json::parse(line, nullptr, false);
      if (row.is_object()) run.metrics.push_back(std::move(row));
    }
  }
  return run;
}

std::vector<RunFolder> runs_below(const std::string& folder) {
  if (!fs::is_directory(folder))
    throw ExitError(Exit::kUsage, folder + ": there is no such folder");
  std::vector<std::string> paths;
  if (is_run(folder)) paths.push_back(folder);
  for (auto at = fs::recursive_directory_iterator(folder); at != fs::recursive_directory_iterator();
       ++at) {
    if (!at->is_directory()) continue;
    const std::string name = at->path().filename().string();
    if (name == "checkpoints" || name == "final" || name == "adapter")
      at.disable_recursion_pending();
    else if (is_run(at->path().string()))
      paths.push_back(at->path().string());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<RunFolder> runs;
  for (const std::string& path : paths) runs.push_back(read_run(path));
  return runs;
}

std::vector<std::pair<std::string, Json>> flattened(const Json& table, const std::string& prefix) {
  std::vector<std::pair<std::string, Json>> flat;
  const bool tables = table.is_array() && !table.empty() && table[0].is_object();
  if (!table.is_object() && !tables) return {{prefix, table}};
  for (const auto& [key, value] : table.items()) {
    const std::string name = tables           ? prefix + "[" + key + "]"
                             : prefix.empty() ? key
                                              : prefix + "." + key;
    for (auto& item : flattened(value, name)) flat.push_back(std::move(item));
  }
  return flat;
}

Json manifest_differences(const std::vector<RunFolder>& runs) {
  Json all = Json::object();
  for (size_t i = 0; i < runs.size(); ++i) {
    for (const auto& [key, value] : flattened(runs[i].record.value("manifest", Json::object()))) {
      if (!all.contains(key)) all[key] = Json(std::vector<Json>(runs.size()));
      all[key][i] = value;
    }
  }
  Json differ = Json::object();
  for (const auto& [key, values] : all.items()) {
    const bool same = std::all_of(values.begin(), values.end(),
                                  [&](const Json& value) { return value == values[0]; });
    if (!same && key != "run.name" && key != "run.output") differ[key] = values;
  }
  return differ;
}

Divergence divergence_of(const RunFolder& a, const RunFolder& b) {
  std::map<int64_t, std::string> hashes;
  for (const Json& row : a.metrics) {
    if (row.contains("state_hash")) hashes[row.value("step", int64_t{0})] = row["state_hash"];
  }
  Divergence found;
  for (const Json& row : b.metrics) {
    const int64_t step = row.value("step", int64_t{0});
    const auto other = hashes.find(step);
    if (!row.contains("state_hash") || other == hashes.end()) continue;
    found.common = std::max(found.common, step);
    if (row["state_hash"] != other->second && (found.first == 0 || step < found.first))
      found.first = step;
  }
  return found;
}

}  // namespace attune
