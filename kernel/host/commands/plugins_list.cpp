// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/commands/command.h"
#include "kernel/host/plugins/report.h"

namespace attune {
namespace {

int list(const Arguments& arguments, Context& context) {
  const auto installation = installation_for(arguments, context);
  const Registry& registry = installation->registry();
  std::ostream& out = context.console.out;
  if (arguments.flag("json")) {
    out << list_json(registry).dump(2) << "\n";
    return 0;
  }
  out << list_text(registry);
  if (arguments.flag("verbose")) {
    out << "\nSearched, first first:\n";
    for (const SearchFolder& folder : registry.folders())
      out << "  " << folder.path << " (" << folder.origin << ")\n";
  }
  return 0;
}

}  // namespace

Command plugins_list_command() {
  return {{"plugins list",
           "List plugins by what they provide; opens none",
           "attune plugins list",
           {},
           {plugin_path_option(),
            {"verbose,v", "", "Also say where plugins were sought"},
            {"json", "", "Print the list as JSON"}}},
          &list};
}

}  // namespace attune
