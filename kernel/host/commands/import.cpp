// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/run/import_model.h"
#include "kernel/host/run/layout.h"
#include "kernel/host/services/progress.h"
#include "kernel/host/services/services.h"

namespace attune {
namespace {

int run(const Arguments& arguments, Context& context) {
  const std::string dtype = arguments.text("dtype", "float32");
  if (dtype != "float32" && dtype != "bfloat16") {
    throw ExitError(Exit::kUsage, "--dtype: expected float32 or bfloat16, found \"" + dtype + "\"");
  }
  context.console.quiet = arguments.flag("quiet");
  const auto installation = installation_for(arguments, context);
  Services services(*installation, context.console);
  const std::string to = *arguments.text("OUT");
  const Imported made = import_model(*arguments.text("MODEL"), to, dtype, services);
  context.console.out << to << ": " << made.tensors << " tensors, " << grouped(made.parameters)
                      << " parameters, " << bytes_text(made.bytes) << " as " << dtype << "\n";
  return 0;
}

}  // namespace

Command import_command() {
  return {{"import",
           "Write a Hugging Face folder from a checkpoint file (GGUF and others)",
           "attune import model.gguf models/smollm2",
           {{"MODEL", "The checkpoint: a file, or a folder"},
            {"OUT", "The folder to write; it must not exist"}},
           {{"dtype", "TYPE", "float32 (default) or bfloat16"},
            {"quiet,q", "", "No progress"},
            plugin_path_option()}},
          &run};
}

}  // namespace attune
