// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/manifest/nearest.h"

namespace attune {
namespace {

std::vector<Command> commands() {
  return {run_command(),
          check_command(),
          plan_command(),
          explain_command(),
          lock_command(),
          rerun_command(),
          diff_command(),
          data_inspect_command(),
          data_stats_command(),
          data_convert_command(),
          runs_list_command(),
          runs_show_command(),
          runs_compare_command(),
          runs_watch_command(),
          report_command(),
          checkpoints_list_command(),
          checkpoints_verify_command(),
          checkpoints_prune_command(),
          references_build_command(),
          references_list_command(),
          plugins_list_command(),
          plugins_inspect_command(),
          plugins_keygen_command(),
          plugins_sign_command(),
          plugins_verify_command(),
          plugins_doctor_command(),
          plugins_new_command(),
          plugins_validate_command(),
          import_command(),
          export_command(),
          generate_command(),
          score_command(),
          tokenize_command()};
}

std::string overview(const std::vector<Command>& all) {
  size_t width = 0;
  for (const Command& command : all) width = std::max(width, command.spec.name.size());
  std::string text =
      "attune " ATTUNE_VERSION
      ": aligns omni-modal models with human intent\n\nUsage: attune COMMAND [options]\n\n";
  for (const Command& command : all) {
    text += "  " + command.spec.name + std::string(width - command.spec.name.size() + 2, ' ') +
            command.spec.summary + "\n";
  }
  return text +
         "\nEach command explains itself: attune COMMAND --help\n"
         "Exit codes: 0 ok, 1 usage, 2 manifest, 3 plugin missing, 4 plugin refused, 5 trust, 6 "
         "data, 7 run failed, 128 + signal: stopped and saved\n\n"
         "Example:\n  attune run configs/quickstart.toml\n";
}

std::vector<std::string> words_of(const std::string& name) {
  const size_t space = name.find(' ');
  if (space == name.npos) return {name};
  return {name.substr(0, space), name.substr(space + 1)};
}

bool begins_with(const std::vector<std::string>& words, const std::vector<std::string>& name) {
  return words.size() >= name.size() && std::equal(name.begin(), name.end(), words.begin());
}

/// "plugins" alone: the commands that it begins.
std::vector<const Command*> group(const std::vector<Command>& all, const std::string& word) {
  std::vector<const Command*> found;
  for (const Command& command : all) {
    if (command.spec.name.starts_with(word + " ")) found.push_back(&command);
  }
  return found;
}

[[noreturn]] void refuse_unknown(const std::vector<Command>& all,
                                 const std::vector<std::string>& words) {
  std::vector<std::string> names, seconds;
  for (const Command& command : all) {
    const auto name = words_of(command.spec.name);
    if (std::find(names.begin(), names.end(), name[0]) == names.end()) names.push_back(name[0]);
    if (name.size() == 2 && name[0] == words[0]) seconds.push_back(name[1]);
  }
  if (!seconds.empty()) {
    const std::string near = words.size() > 1 ? nearest(words[1], seconds) : "";
    throw ExitError(Exit::kUsage,
                    (words.size() > 1 ? "unknown command \"" + words[0] + " " + words[1] + "\""
                                      : "\"" + words[0] + "\" needs a second word") +
                        (near.empty() ? "; expected one of: " + join(seconds)
                                      : "; did you mean \"" + words[0] + " " + near + "\"?"));
  }
  const std::string near = nearest(words[0], names);
  throw ExitError(Exit::kUsage, "unknown command \"" + words[0] + "\"" +
                                    (near.empty() ? "; attune --help lists them"
                                                  : "; did you mean \"" + near + "\"?"));
}

bool asks_for_help(const std::string& word) {
  return word == "--help" || word == "-h" || word == "help";
}

}  // namespace

int dispatch(const std::vector<std::string>& words, Context& context) {
  const std::vector<Command> all = commands();
  if (words.empty() || (words.size() == 1 && asks_for_help(words[0]))) {
    context.console.out << overview(all);
    return words.empty() ? static_cast<int>(Exit::kUsage) : 0;
  }
  if (words[0] == "--version") {
    context.console.out << "attune " ATTUNE_VERSION "\n";
    return 0;
  }
  for (const Command& command : all) {
    const auto name = words_of(command.spec.name);
    if (!begins_with(words, name)) continue;
    const Arguments arguments = parse_arguments(
        command.spec, {words.begin() + static_cast<long>(name.size()), words.end()});
    if (arguments.help) {
      context.console.out << help_text(command.spec);
      return 0;
    }
    return command.run(arguments, context);
  }
  const auto members = group(all, words[0]);
  if (!members.empty() && words.size() == 2 && asks_for_help(words[1])) {
    for (const Command* command : members) context.console.out << help_text(command->spec) << "\n";
    return 0;
  }
  refuse_unknown(all, words);
}

CheckedRun load_checked(const Arguments& arguments, Context& context) {
  const std::string file = *arguments.text("FILE");
  const auto sets = arguments.all("set");
  CheckedRun made;
  made.installation = std::make_unique<Installation>(
      context.surroundings, context.console, arguments.all("plugin-path"),
      manifest_plugin_paths(file, sets, context.environment));
  made.manifest = load_manifest(file, {.sets = sets,
                                       .catalogue = made.installation->registry(),
                                       .environment = context.environment});
  return made;
}

OptionSpec plugin_path_option() {
  return {"plugin-path", "DIR", "Search this folder for plugins before all others", true};
}

std::vector<OptionSpec> manifest_options() {
  return {{"set", "KEY=VALUE", "Replace a value of the manifest, for example train.steps=50", true},
          plugin_path_option()};
}

std::unique_ptr<Installation> installation_for(const Arguments& arguments, Context& context) {
  return std::make_unique<Installation>(context.surroundings, context.console,
                                        arguments.all("plugin-path"));
}

}  // namespace attune
