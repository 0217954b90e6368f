// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/commands/command.h"
#include "kernel/host/run/runner.h"
#include "kernel/host/services/services.h"

namespace attune {
namespace {

int run(const Arguments& arguments, Context& context) {
  Console& console = context.console;
  console.quiet = arguments.flag("quiet");
  const CheckedRun checked = load_checked(arguments, context);
  const auto locked = enforce_lock(arguments, checked);
  const auto outcomes = run_checked(checked, context);
  if (locked) locked->verify();
  if (arguments.flag("json")) {
    Json stages = Json::array();
    for (const StageOutcome& stage : outcomes) {
      stages.push_back({{"name", stage.name},
                        {"kind", stage.kind},
                        {"folder", stage.folder},
                        {"skipped", stage.skipped},
                        {"results", stage.results}});
    }
    console.out << Json{{"stages", stages}}.dump(2) << "\n";
    return 0;
  }
  const bool pipeline = checked.manifest.resolved.at("run").at("kind") == "pipeline";
  console.out << "\n"
              << (pipeline ? summary(outcomes) : outcome_text(outcomes.front())) << std::flush;
  return 0;
}

}  // namespace

std::vector<StageOutcome> run_checked(const CheckedRun& checked, Context& context) {
  Console& console = context.console;
  Installation& installation = *checked.installation;
  const RunEnvironment environment{
      .engine = [&]() -> Engine& { return installation.engine(); },
      .services =
          [&](const Json& stage, const std::string& folder) {
            auto services = std::make_unique<Services>(installation, console, folder);
            services->track(stage);
            return services;
          },
      .software = [&](const Json& stage) { return installation.software(stage); },
      .console = console,
      .command_line = context.surroundings.command_line};
  installation.prove(checked.manifest.resolved);
  return run_manifest({checked.manifest.resolved, checked.manifest.redacted()}, environment);
}

Command run_command() {
  CommandSpec spec{"run",
                   "Run a manifest: train, generate, evaluate or a pipeline of them",
                   "attune run configs/quickstart.toml --set run.output=/tmp/runs",
                   {{"FILE", "The manifest (TOML)"}},
                   manifest_options()};
  spec.options.push_back(locked_option());
  spec.options.push_back({"quiet,q", "", "No progress and no notes; warnings remain"});
  spec.options.push_back({"json", "", "Print the results as JSON"});
  return {spec, &run};
}

}  // namespace attune
