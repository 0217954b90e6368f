// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/rerun.h"

#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "kernel/host/exit.h"
#include "kernel/host/run/run_folder.h"
#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

bool is_result(const fs::path& relative) {
  static const std::set<std::string> kFiles = {"answers.jsonl", "samples.jsonl", "results.json",
                                               "metrics.jsonl"};
  for (const fs::path& part : relative.parent_path()) {
    if (part == "final" || part == "adapter") return true;
    if (part == "checkpoints" || part == "cache") return false;
  }
  return kFiles.contains(relative.filename().string());
}

std::set<std::string> results_of(const std::string& folder) {
  std::set<std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    const fs::path relative = fs::relative(entry.path(), folder);
    if (entry.is_regular_file() && is_result(relative)) files.insert(relative.generic_string());
  }
  return files;
}

/// Text with the run's own folder taken out.
std::string without_folder(const fs::path& file, const std::string& folder) {
  std::string text = read_text(file);
  for (size_t at = 0; (at = text.find(folder, at)) != text.npos;) text.erase(at, folder.size());
  return text;
}

bool measures_time(const std::string& key) {
  return key.find("seconds") != key.npos || key.find("_per_s") != key.npos ||
         key.find("memory") != key.npos || key.find("time") != key.npos;
}

std::string metrics_text(const fs::path& file) {
  std::istringstream lines(read_text(file));
  std::string text, line;
  while (std::getline(lines, line)) {
    Json row = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!row.is_object()) continue;
    std::vector<std::string> times;
    for (const auto& [key, value] : row.items()) {
      if (measures_time(key)) times.push_back(key);
    }
    for (const std::string& key : times) row.erase(key);
    text += row.dump() + "\n";
  }
  return text;
}

bool same(const std::string& name, const std::string& before, const std::string& now) {
  const fs::path a = fs::path(before) / name, b = fs::path(now) / name;
  if (a.filename() == "metrics.jsonl")
    return metrics_text(a) == metrics_text(b);
  if (a.extension() == ".json" || a.extension() == ".jsonl")
    return without_folder(a, before) == without_folder(b, now);
  return sha256_now(a) == sha256_now(b);
}

}  // namespace

void refuse_secrets(const Json& manifest) {
  for (const auto& [key, value] : flattened(manifest)) {
    if (value == "***") {
      throw ExitError(Exit::kManifest, key + ": the record masks a secret; give it again: --set '" +
                                           key + "=\"...\"'");
    }
  }
}

void check_inputs(const std::string& folder) {
  std::string changed;
  for (const RunFolder& run : runs_below(folder)) {
    const Json notes = run.record.value("notes", Json::object());
    const Json inputs = notes.value("inputs", Json::object());
    for (const auto& [path, digest] : inputs.items()) {
      if ((path + "/").starts_with(folder + "/")) continue;
      if (!fs::exists(path)) {
        changed += "\n  " + path + ": is not there any more";
      } else if (sha256_tree(path) != digest) {
        changed += "\n  " + path + ": has other bytes than then";
      }
    }
  }
  if (!changed.empty()) {
    throw ExitError(Exit::kData, folder + ": the inputs of this run changed:" + changed +
                                     "\nBring them back, or run the new ones under another name");
  }
}

std::vector<std::string> changed_software(const std::string& folder, const Json& software) {
  const auto listed = [](const Json& of) {
    std::map<std::string, std::string> found;
    for (const auto& [key, value] : of.items()) {
      if (value.is_string()) found[key] = value;
    }
    for (const Json& plugin : of.value("plugins", Json::array())) {
      found["plugin " + plugin.value("id", "")] =
          plugin.value("version", "") + " (SHA-256 " + plugin.value("sha256", "") + ")";
    }
    return found;
  };
  const auto then = listed(read_run(folder).record.value("software", Json::object()));
  std::vector<std::string> lines;
  for (const auto& [name, value] : listed(software)) {
    const auto before = then.find(name);
    if (before == then.end()) {
      lines.push_back(name + ": not there then, " + value + " now");
    } else if (before->second != value) {
      lines.push_back(name + ": " + before->second + " then, " + value + " now");
    }
  }
  return lines;
}

Comparison compare_runs(const std::string& before, const std::string& now) {
  Comparison found;
  std::set<std::string> names = results_of(before);
  const std::set<std::string> made = results_of(now);
  names.insert(made.begin(), made.end());
  for (const std::string& name : names) {
    if (!fs::exists(fs::path(before) / name)) {
      found.different.push_back(name + " (new)");
    } else if (!made.contains(name)) {
      found.different.push_back(name + " (missing)");
    } else {
      ++found.compared;
      if (!same(name, before, now)) found.different.push_back(name);
    }
  }
  return found;
}

}  // namespace attune
