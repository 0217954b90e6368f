// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/host/commands/command_line.h"
#include "kernel/host/manifest/manifest.h"
#include "kernel/host/run/locked.h"
#include "kernel/host/run/summary.h"
#include "kernel/host/services/console.h"
#include "kernel/host/services/installation.h"

namespace attune {

/// What main hands to every command.
struct Context {
  Console& console;
  Surroundings surroundings;
  Environment environment;
};

/// One command of the program: a spec, and what it does. Returns the exit code; throws what goes
/// wrong.
struct Command {
  CommandSpec spec;
  int (*run)(const Arguments&, Context&);
};

// Each of these lies in a file of its own.
Command run_command();
Command check_command();
Command plan_command();
Command lock_command();
Command rerun_command();
Command diff_command();
Command explain_command();
Command plugins_list_command();
Command plugins_inspect_command();
Command plugins_keygen_command();
Command plugins_sign_command();
Command plugins_verify_command();
Command plugins_doctor_command();
Command plugins_new_command();
Command plugins_validate_command();
Command import_command();
Command export_command();
Command generate_command();
Command score_command();
Command tokenize_command();
Command data_inspect_command();
Command data_stats_command();
Command data_convert_command();
Command runs_list_command();
Command runs_show_command();
Command runs_compare_command();
Command runs_watch_command();
Command report_command();
Command checkpoints_list_command();
Command checkpoints_verify_command();
Command checkpoints_prune_command();
Command references_build_command();
Command references_list_command();

/// Finds the command that `words` begin with, parses the rest and runs it. Without words, or with
/// --help: the overview.
int dispatch(const std::vector<std::string>& words, Context& context);

// ---- what several commands share
// ---------------------------------------------------------------------------------------

/// A manifest, checked, and the plugins it was checked against.
struct CheckedRun {
  std::unique_ptr<Installation> installation;
  Manifest manifest;
};

/// Loads FILE with --set and --plugin-path as given.
CheckedRun load_checked(const Arguments& arguments, Context& context);

/// Holds a run to its lock file where --locked or the site asks for it; empty where neither does.
std::optional<Locked> enforce_lock(const Arguments& arguments, const CheckedRun& checked);
OptionSpec locked_option();

/// Runs what was checked.
std::vector<StageOutcome> run_checked(const CheckedRun& checked, Context& context);

/// The options that load_checked reads.
std::vector<OptionSpec> manifest_options();
OptionSpec plugin_path_option();

/// Plugins for a command that has no manifest.
std::unique_ptr<Installation> installation_for(const Arguments& arguments, Context& context);

}  // namespace attune
