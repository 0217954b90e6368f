// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/prepared_run.h"

#include <filesystem>

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

}  // namespace

PreparedRun::PreparedRun(const Json& of, HostServices& host)
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
  const auto tokens_of = [data = train.get()](int64_t index) {
    const auto sample = data->at(index);
    return sample ? int64_t(sample->ids.size()) : 0;
  };
  steps = std::make_unique<StepPlan>(table, run.at("data"), run.at("run").at("seed"), train->sizes(), tokens_of);
}

bool PreparedRun::second_model() const {
  if (!metadata.value("reference", false)) return false;
  const Json reference = run.value("reference", Json::object());
  const bool whole = algorithm->needs().divergence.kind != DivergenceKind::kNone;
  return reference.value("mode", "cached") == "live" && (!run.contains("adapter") || whole || reference.value("path", "") != "");
}

}  // namespace attune
