// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/locked.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "kernel/host/exit.h"
#include "kernel/host/plugins/bundled.h"
#include "kernel/host/run/run_folder.h"
#include "kernel/host/run/runner.h"
#include "kernel/host/run/stamp.h"
#include "kernel/host/services/data_files.h"
#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

/// "data/pairs.jsonl" for a path below the folder, else the path.
std::string below(const std::string& path, const fs::path& folder) {
  const std::string inside = folder.string() + "/";
  return path.starts_with(inside) ? path.substr(inside.size()) : path;
}

/// Every file that a run may read, by the absolute paths in it.
class Inputs {
 public:
  explicit Inputs(std::string own) : own_(std::move(own)) {}

  void add_all(const Json& value) {
    if (value.is_structured()) {
      for (const Json& item : value) add_all(item);
    } else if (value.is_string()) {
      const auto& text = value.get_ref<const std::string&>();
      if (text.starts_with("/") && text.size() < 4000) add(text);
    }
  }
  const std::set<std::string>& files() const { return files_; }

 private:
  void add(const std::string& path) {
    // What the run's own stages make is no input.
    if ((path + "/").starts_with(own_ + "/")) return;
    for (const std::string& file : matching_files(path)) files_.insert(file);
    std::error_code problem;
    if (fs::is_regular_file(path, problem)) files_.insert(path);
    if (!fs::is_directory(path, problem) || !folders_.insert(path).second) return;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file() && !(entry.path().string() + "/").starts_with(own_ + "/"))
        files_.insert(entry.path().string());
    }
    // An adapter is read with the model that it changes.
    const fs::path adapter = fs::path(path) / "adapter_config.json";
    if (fs::is_regular_file(adapter, problem))
      add_all(read_json(adapter).value("base_model_name_or_path", Json()));
  }

  std::string own_;
  std::set<std::string> files_, folders_;
};

std::vector<Json> runs_of(const Json& resolved) {
  return resolved.at("run").at("kind") == "pipeline" ? stage_runs(resolved)
                                                     : std::vector<Json>{resolved};
}

Json values_of(const Manifest& manifest, const fs::path& folder) {
  Json run = essence(manifest.redacted());
  if (run.contains("stage")) {
    for (Json& stage : run["stage"]) stage = essence(std::move(stage));
  }
  Json values = Json::object();
  for (const auto& [key, value] : flattened(run)) {
    if (value.is_null()) continue;
    values[key] = value.is_string() ? Json(below(value.get<std::string>(), folder)) : value;
  }
  return values;
}

/// Changes whenever the file's bytes may have.
std::string identity(const std::string& path) {
  struct stat s {};
  if (stat(path.c_str(), &s) != 0) return "";
  const auto time = [](const timespec& t) {
    return std::to_string(t.tv_sec) + "." + std::to_string(t.tv_nsec);
  };
  return std::to_string(s.st_dev) + ":" + std::to_string(s.st_ino) + ":" +
         std::to_string(s.st_size) + ":" + time(s.st_mtim) + ":" + time(s.st_ctim);
}

[[noreturn]] void refuse(const std::string& lock, const std::vector<std::string>& lines,
                         const std::string& cure) {
  std::string text = lock + ": what it pins is not what there is:";
  for (const std::string& line : lines) text += "\n  " + line;
  throw ExitError(Exit::kTrust, text + "\n" + cure);
}

}  // namespace

std::string lock_file(const Manifest& manifest) { return manifest.files.front() + ".lock"; }

Lock lock_of(const Manifest& manifest, Installation& installation) {
  const fs::path folder = fs::path(manifest.files.front()).parent_path();
  Lock lock;
  const auto add = [&](const std::string& role, const std::string& name, const std::string& path) {
    const std::string before = identity(path);
    lock.files.push_back({role, name, sha256_file(path), path, before});
  };
  add("host", "attune", installation.executable());
  if (const std::string engine = installation.engine_file(); fs::exists(engine))
    add("engine", "attune-engine", engine);
  std::set<std::string> libraries;
  for (const PluginInfo* plugin : installation.plugins_of(manifest.resolved)) {
    add("plugin", plugin->id, plugin->file);
    for (const std::string& library : bundled_files(plugin->file)) libraries.insert(library);
  }
  for (const std::string& library : libraries)
    add("library", fs::path(library).filename().string(), library);
  for (const std::string& file : manifest.files) add("manifest", below(file, folder), file);
  Inputs inputs(run_folder(manifest.resolved));
  for (const Json& run : runs_of(manifest.resolved)) inputs.add_all(essence(run));
  for (const std::string& file : inputs.files()) add("input", below(file, folder), file);
  lock.values = values_of(manifest, folder);
  return lock;
}

Locked::Locked(const Manifest& manifest, Installation& installation)
    : lock_file_(lock_file(manifest)) {
  if (!fs::exists(lock_file_)) {
    throw ExitError(Exit::kTrust, lock_file_ + ": expected a lock, found none; write it: attune lock " +
                                      manifest.files.front());
  }
  const Lock locked = parse_lock(read_text(lock_file_), lock_file_);
  seen_ = lock_of(manifest, installation);
  if (const auto lines = differences(locked, seen_); !lines.empty()) {
    refuse(lock_file_, lines,
           "If every change is meant, write the lock anew: attune lock " + manifest.files.front());
  }
  installation.pin(pinned(locked));
}

void Locked::verify() const {
  std::vector<std::string> lines;
  for (const Lock::File& file : seen_.files) {
    if (identity(file.path) == file.identity) continue;
    std::error_code problem;
    if (!fs::exists(file.path, problem) || sha256_now(file.path) != file.sha256)
      lines.push_back(file.role + " " + file.name + ": changed while the run went on");
  }
  if (!lines.empty()) refuse(lock_file_, lines, "Do not use what this run made; run it again.");
}

}  // namespace attune
