// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/plugins/doctor.h"

namespace attune {
namespace {

int examine_all(const Arguments& arguments, Context& context) {
  const auto installation = installation_for(arguments, context);
  const Examination found = examine(installation->search_path());
  context.console.out << (arguments.flag("json") ? examination_json(found).dump(2) + "\n" : examination_text(found));
  return found.sound() ? 0 : static_cast<int>(Exit::kPluginRefused);
}

}  // namespace

Command plugins_doctor_command() {
  return {{"plugins doctor",
           "Go through every file on the search path, in order, and say what this host makes of it",
           "attune plugins doctor",
           {},
           {plugin_path_option(), {"json", "", "Print all of it as JSON"}}},
          &examine_all};
}

}  // namespace attune
