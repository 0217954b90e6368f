// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/run_folder.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "kernel/host/exit.h"
#include "kernel/host/manifest/toml_text.h"
#include "kernel/host/run/folder_lock.h"
#include "kernel/host/run/record.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace fs = std::filesystem;
namespace {

const Json kNull;

Json read_record(const fs::path& file) {
  try {
    return manifest::to_json(manifest::parse_toml(read_text(file), nullptr));
  } catch (const manifest::SyntaxError& error) {
    throw ExitError(Exit::kData, file.string() + ":" + std::to_string(error.line) + ": " +
                                     error.what + "; remove it, and the run is listed without it");
  }
}

/// What a file holds; nothing where it is missing or torn.
Json read_object(const fs::path& file) {
  if (!fs::exists(file)) return Json::object();
  Json found = Json::parse(read_text(file), nullptr, /*allow_exceptions=*/false);
  return found.is_object() ? found : Json::object();
}

/// Sorts by path, but the stages of a pipeline as it runs them.
void in_order_of_stages(std::vector<RunFolder>& runs) {
  std::map<std::string, std::string> keys;
  for (const RunFolder& run : runs) {
    keys.try_emplace(run.path, run.path);
    const auto stages = run.stages();
    for (size_t i = 0; i < stages.size(); ++i) {
      const std::string place = std::to_string(i);
      keys[(fs::path(run.path) / stages[i]).string()] =
          run.path + "/" + std::string(6 - std::min<size_t>(6, place.size()), '0') + place;
    }
  }
  std::stable_sort(runs.begin(), runs.end(), [&](const RunFolder& a, const RunFolder& b) {
    return keys.at(a.path) < keys.at(b.path);
  });
}

bool is_record(const std::string& folder) { return fs::exists(fs::path(folder) / "record.toml"); }

}  // namespace

const char* activity_name(Activity activity) {
  switch (activity) {
    case Activity::kWaiting:
      return "waiting";
    case Activity::kRunning:
      return "running";
    case Activity::kStopped:
      return "stopped";
    case Activity::kFinished:
      return "finished";
  }
  return "";
}

const Json& under(const Json& root, std::initializer_list<const char*> keys) {
  const Json* at = &root;
  for (const char* key : keys) {
    if (!at->is_object() || !at->contains(key)) return kNull;
    at = &at->at(key);
  }
  return *at;
}

std::string RunFolder::name() const {
  const fs::path normal = fs::absolute(path).lexically_normal();
  return (normal.has_filename() ? normal : normal.parent_path()).filename().string();
}

std::string RunFolder::kind() const {
  const Json& kind = under(manifest, {"run", "kind"});
  return kind.is_string() ? kind.get<std::string>() : metrics.rows() > 0 ? "train" : "";
}

Json RunFolder::result(const std::string& name) const {
  return under(record, {"results", name.c_str()});
}

std::optional<int64_t> RunFolder::steps() const {
  const bool training = under(progress, {"phase"}) == "train";
  for (const Json* found :
       {&under(record, {"results", "steps"}), training ? &under(progress, {"total"}) : &kNull,
        &under(plan, {"work", "steps"}), &under(manifest, {"train", "steps"})}) {
    if (found->is_number() && found->get<int64_t>() > 0) return found->get<int64_t>();
  }
  return std::nullopt;
}

std::vector<std::string> RunFolder::stages() const {
  std::vector<std::string> names;
  for (const Json& stage : under(manifest, {"stage"})) {
    if (const Json& name = under(stage, {"name"}); name.is_string())
      names.push_back(name.get<std::string>());
  }
  return names;
}

bool is_run(const std::string& folder) {
  return is_record(folder) || fs::exists(fs::path(folder) / "begun.json") ||
         fs::exists(fs::path(folder) / "metrics.jsonl");
}

RunFolder look_at_run(const std::string& folder, int64_t metric_bytes) {
  RunFolder run;
  run.path = folder;
  run.metrics = MetricLog(fs::path(folder) / "metrics.jsonl");
  refresh(run, metric_bytes);
  return run;
}

bool refresh(RunFolder& run, int64_t metric_bytes) {
  const std::string& folder = run.path;
  run.record = run.manifest = run.plan = run.progress = Json::object();
  run.activity = Activity::kWaiting;
  const bool new_rows = run.metrics.refresh(metric_bytes);
  if (!is_run(folder)) return new_rows;
  if (is_record(folder)) run.record = read_record(fs::path(folder) / "record.toml");
  if (const Json& manifest = under(run.record, {"manifest"}); manifest.is_object())
    run.manifest = written_manifest(manifest);
  run.plan = read_object(fs::path(folder) / "plan.json");
  run.progress = read_object(fs::path(folder) / "progress.json");
  const auto stages = run.stages();
  const bool running =
      is_locked(folder) || std::any_of(stages.begin(), stages.end(), [&](const std::string& stage) {
        return is_locked((fs::path(folder) / stage).string());
      });
  run.activity = running                          ? Activity::kRunning
                 : run.record.contains("results") ? Activity::kFinished
                                                  : Activity::kStopped;
  return new_rows;
}

RunFolder read_run(const std::string& folder, int64_t metric_bytes) {
  if (!is_run(folder)) {
    throw ExitError(Exit::kUsage,
                    folder + (fs::is_directory(folder)
                                  ? ": is no run: it has no record.toml and no metrics.jsonl"
                                  : ": there is no such folder"));
  }
  return look_at_run(folder, metric_bytes);
}

std::vector<RunFolder> runs_below(const std::string& folder, int64_t metric_bytes) {
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
  std::vector<RunFolder> runs;
  for (const std::string& path : paths) runs.push_back(look_at_run(path, metric_bytes));
  in_order_of_stages(runs);
  return runs;
}

std::vector<std::string> labels_of(const std::vector<RunFolder>& runs) {
  std::vector<fs::path> paths;
  for (const RunFolder& run : runs)
    paths.push_back((fs::absolute(run.path) / "").lexically_normal().parent_path());
  std::vector<std::string> labels;
  for (const fs::path& path : paths) {
    fs::path label = path.filename(), rest = path.parent_path();
    const auto clashes = [&](const fs::path& other) {
      return other != path && (other == label || other.string().ends_with("/" + label.string()));
    };
    while (rest.has_filename() && std::any_of(paths.begin(), paths.end(), clashes)) {
      label = rest.filename() / label;
      rest = rest.parent_path();
    }
    labels.push_back(label.string());
  }
  return labels;
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
    for (const auto& [key, value] : flattened(runs[i].manifest)) {
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
  const auto& others = b.metrics.texts("state_hash");
  Divergence found;
  for (const auto& [step, hash] : a.metrics.texts("state_hash")) {
    const auto other = others.find(step);
    if (other == others.end()) continue;
    found.common = step;
    if (other->second != hash && found.first == 0) found.first = step;
  }
  return found;
}

}  // namespace attune
