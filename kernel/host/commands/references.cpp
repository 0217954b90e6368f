// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>

#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/run/layout.h"
#include "kernel/host/run/runner.h"
#include "kernel/host/run/stored_scores.h"
#include "kernel/host/services/progress.h"
#include "kernel/host/services/services.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> cells(const std::string& first, const StoredScores& stored) {
  const StoredScores::Size size = stored.size();
  return {first, grouped(size.samples), grouped(size.numbers), bytes_text(size.bytes), std::to_string(stored.parts().size())};
}

int build(const Arguments& arguments, Context& context) {
  context.console.quiet = arguments.flag("quiet");
  const CheckedRun checked = load_checked(arguments, context);
  const Json& resolved = checked.manifest.resolved;
  const bool pipeline = resolved.at("run").at("kind") == "pipeline";
  checked.installation->prove(resolved);
  TextTable table({"reference of", "samples", "numbers", "size", "files"});
  std::string folders;
  for (const Json& run : pipeline ? stage_runs(resolved) : std::vector<Json>{resolved}) {
    if (run.at("run").at("kind") != "train" || !fs::exists(run.at("model").at("path").get<std::string>())) continue;
    Services services(*checked.installation, context.console);
    Engine& engine = checked.installation->engine();
    engine.threads(run.at("run").value("threads", 0));
    for (const Json& made : engine.references(run, services)) {
      const StoredScores stored(made.at("folder").get<std::string>(), services);
      table.add(cells(run["run"]["name"].get<std::string>() + ", " + made.at("data").get<std::string>(), stored));
      folders += "  " + stored.folder().string() + "\n";
    }
  }
  if (table.empty())
    throw ExitError(Exit::kUsage, "nothing to store: no run of the manifest compares with a reference that is computed once (reference.mode = \"cached\") "
                                  "and starts from a model that is there");
  context.console.out << "\n" << table.text() << folders;
  return 0;
}

int list(const Arguments& arguments, Context& context) {
  const fs::path folder = *arguments.text("FOLDER");
  if (!fs::is_directory(folder)) throw ExitError(Exit::kUsage, folder.string() + ": there is no such folder; stored references lie in cache/reference of a run's `output`");
  const auto installation = installation_for(arguments, context);
  Services services(*installation, context.console);
  std::vector<fs::path> all;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) all.push_back(entry.path());
  }
  std::ranges::sort(all);
  TextTable table({"reference", "samples", "numbers", "size", "files", "state"});
  for (const fs::path& one : all) {
    const StoredScores stored(one, services);
    if (stored.parts().empty() && stored.damaged().empty()) continue;
    std::vector<std::string> row = cells(one.filename().string().substr(0, 16), stored);
    row.push_back(stored.damaged().empty() ? "whole" : "damaged: " + stored.damaged().front());
    table.add(row);
  }
  context.console.out << (table.empty() ? "no reference is stored\n" : table.text());
  return 0;
}

}  // namespace

Command references_build_command() {
  CommandSpec spec{"references build",
                   "Compute and store what a run's reference says of its samples, for all runs that share model and data",
                   "attune references build configs/quickstart.toml",
                   {{"FILE", "The manifest (TOML)"}},
                   manifest_options()};
  spec.options.push_back({"quiet,q", "", "No progress and no notes; warnings remain"});
  return {spec, &build};
}

Command references_list_command() {
  return {{"references list",
           "Stored references, their size, and whether each file has the bytes that were written",
           "attune references list runs/cache/reference",
           {{"FOLDER", "reference.cache of the runs"}},
           {plugin_path_option()}},
          &list};
}

}  // namespace attune
