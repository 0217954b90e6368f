// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/commands/data_of_run.h"

#include <filesystem>

#include "kernel/host/exit.h"
#include "kernel/host/run/runner.h"

namespace attune {
namespace {

Json chosen_run(const Json& resolved, const std::string& stage) {
  if (resolved.at("run").at("kind") != "pipeline") return resolved;
  std::string names;
  for (const Json& run : stage_runs(resolved)) {
    const std::string name = run["run"]["name"];
    if (stage.empty() ? run["run"]["kind"] == "train" : name == stage) return run;
    names += (names.empty() ? "" : ", ") + name;
  }
  throw ExitError(Exit::kUsage, (stage.empty() ? "no stage trains" : "no stage \"" + stage + "\"") +
                                    std::string("; there are: ") + names);
}

Json split_of(const Json& run, const std::string& split) {
  if (run.contains("data") && run["data"].contains(split) && !run["data"][split].empty())
    return run["data"][split];
  if (run.contains("generate")) return Json::array({run["generate"].at("data")});
  if (run.contains("evaluate") && !run["evaluate"].empty())
    return Json::array({run["evaluate"][0].at("data")});
  throw ExitError(Exit::kUsage, "the run has no data." + split);
}

/// The tokenizer's folder. Until an earlier stage has written its model, the pipeline's first model
/// lends its tokenizer.
std::string tokenizer_folder(const Json& run, const Json& resolved) {
  if (!run.contains("model")) {
    throw ExitError(Exit::kUsage, "the run has no [model], and so no tokenizer to count tokens with");
  }
  const std::string own = run.at("model").value("tokenizer", ""), model = run["model"].at("path");
  if (!own.empty()) return own;
  if (std::filesystem::exists(model) || !resolved.contains("stage")) return model;
  return stage_runs(resolved).front().at("model").at("path");
}

}  // namespace

DataOfRun data_of_run_in(const CheckedRun& checked, const Arguments& arguments) {
  const std::string split = arguments.text("split", "train");
  if (split != "train" && split != "eval")
    throw ExitError(Exit::kUsage, "--split: expected train or eval, found \"" + split + "\"");
  DataOfRun made;
  made.run = chosen_run(checked.manifest.resolved, arguments.text("stage", ""));
  made.entries = split_of(made.run, split);
  made.tokenizer = tokenizer_folder(made.run, checked.manifest.resolved);
  return made;
}

std::vector<OptionSpec> data_options() {
  std::vector<OptionSpec> options = manifest_options();
  options.push_back({"split", "NAME", "train (default) or eval"});
  options.push_back({"stage", "NAME", "Stage of a pipeline; by default the first that trains"});
  return options;
}

}  // namespace attune
