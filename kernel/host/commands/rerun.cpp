// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>

#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/run/rerun.h"
#include "kernel/host/run/runner.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

std::string folder_of(const std::string& record) {
  const fs::path path = fs::absolute(record).lexically_normal();
  fs::path folder = fs::is_directory(path) ? path : path.parent_path();
  if (!folder.has_filename()) folder = folder.parent_path();
  return folder.string();
}

CheckedRun load(const std::string& folder, const std::string& output, const Arguments& arguments,
                Context& context) {
  const std::string file = folder + "/manifest.toml";
  if (!fs::exists(file) || !fs::exists(folder + "/record.toml")) {
    throw ExitError(Exit::kUsage, folder + ": expected a run that ended, with record.toml and "
                                           "manifest.toml; found none");
  }
  std::vector<std::string> sets = arguments.all("set");
  sets.push_back("run.output=" + Json(output).dump());
  CheckedRun made;
  made.installation = std::make_unique<Installation>(context.surroundings, context.console,
                                                     arguments.all("plugin-path"),
                                                     manifest_plugin_paths(file, sets));
  made.manifest = load_manifest(file, {.sets = sets,
                                       .catalogue = made.installation->registry(),
                                       .environment = context.environment});
  return made;
}

int rerun(const Arguments& arguments, Context& context) {
  Console& console = context.console;
  console.quiet = arguments.flag("quiet");
  const std::string before = folder_of(*arguments.text("RECORD"));
  const std::string output = fs::absolute(*arguments.text("FOLDER")).lexically_normal().string();
  const CheckedRun checked = load(before, output, arguments, context);
  const std::string now = run_folder(checked.manifest.resolved);
  if (fs::exists(now)) {
    throw ExitError(Exit::kUsage,
                    now + ": expected a new folder, found one that exists; name another FOLDER");
  }
  refuse_secrets(checked.manifest.resolved);
  check_inputs(before);
  for (const std::string& line :
       changed_software(before, checked.installation->software(checked.manifest.resolved)))
    console.err << "note: " << line << std::endl;

  run_checked(checked, context);
  const Comparison found = compare_runs(before, now);
  for (const std::string& line : found.different) console.out << "  differs: " << line << "\n";
  console.out << (found.different.empty() ? "same bits" : "not the same bits") << ": "
              << found.compared << " files of " << now << " compared with " << before << "\n";
  return found.different.empty() ? 0 : static_cast<int>(Exit::kRunFailed);
}

}  // namespace

Command rerun_command() {
  CommandSpec spec{"rerun",
                   "Repeat a run that ended, and say whether the result has the same bits",
                   "attune rerun runs/tiny /tmp/again",
                   {{"RECORD", "The run's folder, or its record.toml"},
                    {"FOLDER", "Where the new run goes: FOLDER/<name of the run>"}},
                   manifest_options()};
  spec.options.push_back({"quiet,q", "", "No progress and no notes; warnings remain"});
  return {spec, &rerun};
}

}  // namespace attune
