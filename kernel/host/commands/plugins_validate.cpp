// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/validate/validate.h"

namespace attune {
namespace {

int validate_one(const Arguments& arguments, Context& context) {
  const auto installation = installation_for(arguments, context);
  const std::vector<validate::Verdict> verdicts = validate::validate({.file = *arguments.text("FILE"),
                                                                      .cases = arguments.text("cases", ""),
                                                                      .config = arguments.text("config", ""),
                                                                      .tests = arguments.all("test"),
                                                                      .engine = [&] { return &installation->engine(); }});
  context.console.out << (arguments.flag("json") ? validate::json(verdicts).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
                                                 : validate::text(verdicts));
  return validate::passed(verdicts) ? 0 : static_cast<int>(Exit::kPluginRefused);
}

}  // namespace

Command plugins_validate_command() {
  return {{"plugins validate",
           "Test whether a plugin keeps to the contract; each test runs in a process of its own",
           "attune plugins validate build/my_data.attune.so --cases rows.json",
           {{"FILE", "A plugin's file"}},
           {{"cases", "FILE", "Inputs, and what becomes of them: a list as in the templates' rows.json and cases.json"},
            {"config", "FILE", "A small config.json, with which models are tried"},
            {"test", "NAME", "Run this test alone", true},
            {"json", "", "Print the verdicts as JSON"}}},
          &validate_one};
}

}  // namespace attune
