// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/commands/open_model.h"

#include <algorithm>

#include "kernel/host/exit.h"
#include "kernel/host/manifest/nearest.h"

namespace attune {
namespace {

std::string choice(const Arguments& arguments, const std::string& name,
                   const std::vector<std::string>& choices) {
  const std::string given = arguments.text(name, choices.front());
  if (std::find(choices.begin(), choices.end(), given) != choices.end()) return given;
  throw ExitError(Exit::kUsage, "--" + name + ": expected one of: " + join(choices) + "; found \"" +
                                    given + "\"");
}

}  // namespace

std::vector<OptionSpec> model_options() {
  return {{"dtype", "TYPE", "float32 (default) or bfloat16"},
          {"device", "NAME", "cpu (default) or cuda"},
          {"threads", "N", "Threads; 0, the default: all cores"},
          {"batch", "N", "Requests in flight (default 16)"},
          {"no-cache", "", "Compute keys and values again for each token; slow, for tests"},
          plugin_path_option()};
}

std::unique_ptr<LanguageModel> open_model(const Arguments& arguments, Installation& installation,
                                          HostServices& host) {
  ModelRequest request;
  request.path = *arguments.text("MODEL");
  request.dtype = choice(arguments, "dtype", {"float32", "bfloat16"});
  request.device = choice(arguments, "device", {"cpu", "cuda"});
  request.cache = !arguments.flag("no-cache");
  request.batch = arguments.integer("batch", request.batch, 1);
  const auto threads = arguments.integer("threads", 0);
  Engine& engine = installation.engine();
  engine.threads(static_cast<int>(threads));
  return engine.open(request, host);
}

}  // namespace attune
