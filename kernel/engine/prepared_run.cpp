// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/prepared_run.h"

#include <filesystem>

#include "kernel/engine/kept_plan.h"
#include "kernel/engine/reference.h"
#include "kernel/host/services/digest.h"

namespace attune {
namespace {

LoadOptions options_of(const Json& run, const Needs& needs) {
  LoadOptions options = load_options(run);
  options.values = needs.values;
  options.values_of_tokens = needs.steps;
  return options;
}

/// A stage's data may be what an earlier stage will write.
std::string missing_data(const Json& data) {
  for (const Json& entry : data.at("train")) {
    const std::string path = entry.at("path");
    if (path.find_first_of("*?[") == path.npos && !std::filesystem::exists(path)) return path;
  }
  return "";
}

/// What identifies a run for its checkpoints: everything that changes its numbers. What to do about a step that is not
/// finite may be changed on the way.
std::string digest_of(const Json& run, const std::string& data, const LoadedModel& policy) {
  Json relevant = Json::object();
  for (const char* table : {"model", "reference", "algorithm", "optimizer", "schedule", "train", "adapter"}) {
    if (run.contains(table)) relevant[table] = run.at(table);
  }
  relevant["model"].erase("path"), relevant["model"].erase("tokenizer");
  if (relevant.contains("reference")) relevant["reference"].erase("cache");
  for (const char* key : {"checkpoint", "evaluate", "nonfinite", "nonfinite_limit"}) relevant["train"].erase(key);
  relevant["seed"] = run.at("run").at("seed");
  return sha256(relevant.dump() + data + weights_digest(run, policy));
}

}  // namespace

PreparedRun::PreparedRun(const Json& of, HostServices& host, const std::string& folder)
    : run(of),
      metadata(host.metadata("algorithm/1", of.at("algorithm").at("use").get<std::string>())),
      object(host.object("algorithm/1", of.at("algorithm").at("use").get<std::string>(),
                         of.at("algorithm").value("options", Json::object()))),
      algorithm(static_cast<Algorithm*>(object->object)),
      policy(open_model(options_of(of, algorithm->needs()), host)),
      missing(missing_data(of.at("data"))) {
  if (!missing.empty()) return;
  const Json& table = run.at("train");
  const Needs needs = algorithm->needs();
  EncodeOptions encode = encode_options(table);
  if (needs.values > 0) encode.marks = needs.steps ? EncodeOptions::Marks::kSteps : EncodeOptions::Marks::kLast;
  train = std::make_unique<TrainingData>(run.at("data"), "train", metadata, policy, encode, host);
  if (run.at("data").contains("eval") && table.at("evaluate").value("every", 0) > 0)
    eval = std::make_unique<TrainingData>(run.at("data"), "eval", metadata, policy, encode, host);
  if (!folder.empty()) digest = digest_of(run, train->digest(), policy);
  steps = make_plan(run, *train, folder, digest, host);
}

bool PreparedRun::second_model() const {
  if (!metadata.value("reference", false)) return false;
  const Json reference = run.value("reference", Json::object());
  const bool whole = algorithm->needs().divergence.kind != DivergenceKind::kNone;
  return reference.value("mode", "cached") == "live" && (!run.contains("adapter") || whole || reference.value("path", "") != "");
}

}  // namespace attune
