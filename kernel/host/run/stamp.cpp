// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/stamp.h"

#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

/// Every absolute path in the manifest that exists, except where the run writes.
void gather_inputs(const Json& value, Json& inputs) {
  if (value.is_structured()) {
    for (const Json& item : value) gather_inputs(item, inputs);
    return;
  }
  if (!value.is_string()) return;
  const auto& text = value.get_ref<const std::string&>();
  std::error_code problem;
  if (!text.starts_with("/") || text.size() > 4000 || inputs.contains(text) || !fs::exists(text, problem)) return;
  inputs[text] = sha256_tree(text);
}

/// The manifest without what cannot change a result.
Json essence(Json run) {
  if (run.contains("run")) run["run"].erase("output");
  run.erase("plugins");
  if (run.contains("reference")) run["reference"].erase("cache");
  if (run.contains("train")) run["train"].erase("log");
  return run;
}

}  // namespace

Stamp stamp_of(const Json& run, const Json& software) {
  const Json counted = essence(run);
  Stamp stamp;
  stamp.parts = {{"manifest", sha256(counted.dump())},
                 {"software", sha256(software.dump())},
                 {"inputs", Json::object()}};
  gather_inputs(counted, stamp.parts["inputs"]);
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
  const Json state = read();
  if (state.is_null()) return Found::kNothing;
  if (state.value("digest", "") != stamp.digest) return Found::kOther;
  return state.value("finished", false) ? Found::kSameFinished : Found::kSameUnfinished;
}

std::string RunState::difference_to(const Stamp& stamp) const {
  const Json state = read();
  return difference(state.is_null() ? Json::object() : state.value("parts", Json::object()), stamp.parts);
}

void RunState::begin(const Stamp& stamp) const { write(stamp, false, Json::object()); }

void RunState::finish(const Stamp& stamp, const Json& results) const { write(stamp, true, results); }

Json RunState::results() const { return read().value("results", Json::object()); }

Json RunState::read() const {
  if (!fs::exists(file_)) return nullptr;
  Json state = read_json(file_);
  return state.is_object() ? state : Json(nullptr);
}

void RunState::write(const Stamp& stamp, bool finished, const Json& results) const {
  const Json state = {
      {"digest", stamp.digest}, {"finished", finished}, {"parts", stamp.parts}, {"results", results}};
  write_atomically(file_, state.dump(2) + "\n");
}

}  // namespace attune
