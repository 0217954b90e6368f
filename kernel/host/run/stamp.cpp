// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/stamp.h"

#include "kernel/host/services/data_files.h"
#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

/// Every absolute path in the manifest that exists, except where the run writes.
void gather_inputs(const Json& value, const fs::path& store, Json& inputs) {
  if (value.is_structured()) {
    for (const Json& item : value) gather_inputs(item, store, inputs);
    return;
  }
  if (!value.is_string()) return;
  const auto& text = value.get_ref<const std::string&>();
  if (text.starts_with("/")) {
    for (const std::string& file : matching_files(text)) inputs[file] = sha256_tree(file, store);
  }
  std::error_code problem;
  if (!text.starts_with("/") || text.size() > 4000 || inputs.contains(text) ||
      !fs::exists(text, problem))
    return;
  inputs[text] = sha256_tree(text, store);
}

/// The object in a file; null where there is none.
Json read(const fs::path& file) {
  if (!fs::exists(file)) return nullptr;
  Json json = read_json(file);
  return json.is_object() ? json : Json(nullptr);
}

}  // namespace

Json essence(Json run) {
  if (run.contains("run")) run["run"].erase("output");
  run.erase("plugins");
  if (run.contains("reference")) run["reference"].erase("cache");
  for (const char* key : {"checkpoint", "nonfinite", "nonfinite_limit"}) {
    if (run.contains("train")) run["train"].erase(key);
  }
  for (const char* split : {"train", "eval"}) {
    if (!run.contains("data") || !run["data"].contains(split)) continue;
    for (Json& entry : run["data"][split]) entry.erase("max_dropped");
  }
  return run;
}

Stamp stamp_of(const Json& run, const Json& software, const fs::path& store) {
  const Json counted = essence(run);
  Stamp stamp;
  stamp.parts = {{"manifest", sha256(counted.dump())},
                 {"software", sha256(software.dump())},
                 {"inputs", Json::object()}};
  gather_inputs(counted, store, stamp.parts["inputs"]);
  stamp.digest = sha256(stamp.parts.dump());
  return stamp;
}

std::string difference(const Json& before, const Json& now) {
  std::string text;
  const auto say = [&](const std::string& what) { text += (text.empty() ? "" : ", ") + what; };
  if (before.value("manifest", "") != now.value("manifest", "")) say("the manifest");
  if (before.value("software", "") != now.value("software", "")) say("the software");
  const Json old_inputs = before.value("inputs", Json::object());
  for (const auto& [path, digest] : now.at("inputs").items()) {
    if (old_inputs.contains(path) && old_inputs[path] != digest) say(path);
  }
  return text.empty() ? "its inputs" : text;
}

RunState::Found RunState::compare(const Stamp& stamp) const {
  const Json begun = read(begun_), done = read(done_);
  if (begun.is_null()) return Found::kNothing;
  if (begun.value("digest", "") != stamp.digest) return Found::kOther;
  const bool finished = !done.is_null() && done.value("digest", "") == stamp.digest;
  return finished ? Found::kSameFinished : Found::kSameUnfinished;
}

std::string RunState::difference_to(const Stamp& stamp) const {
  const Json begun = read(begun_);
  return difference(begun.is_null() ? Json::object() : begun.value("parts", Json::object()),
                    stamp.parts);
}

void RunState::begin(const Stamp& stamp) const {
  write_atomically(begun_, Json{{"digest", stamp.digest}, {"parts", stamp.parts}}.dump(2) + "\n");
}

void RunState::finish(const Stamp& stamp, const Json& results) const {
  write_atomically(done_, Json{{"digest", stamp.digest}, {"results", results}}.dump(2) + "\n");
}

Json RunState::results() const {
  const Json done = read(done_);
  return done.is_null() ? Json::object() : done.value("results", Json::object());
}

}  // namespace attune
