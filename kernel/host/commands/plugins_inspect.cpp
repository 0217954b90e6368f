// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/plugins/report.h"

namespace attune {
namespace {

int inspect_one(const Arguments& arguments, Context& context) {
  const auto installation = installation_for(arguments, context);
  const Inspection found = inspect(installation->registry(), *arguments.text("PLUGIN"));
  context.console.out << (arguments.flag("json") ? inspect_json(found).dump(2) + "\n"
                                                 : inspect_text(found));
  return found.refusals.empty() ? 0 : static_cast<int>(Exit::kPluginRefused);
}

}  // namespace

Command plugins_inspect_command() {
  return {{"plugins inspect",
           "Show a plugin's options and whether this host would load it; does not open it",
           "attune plugins inspect dpo",
           {{"PLUGIN", "A file, a plugin id, or the name of what it provides"}},
           {plugin_path_option(), {"json", "", "Print all of it as JSON"}}},
          &inspect_one};
}

}  // namespace attune
