// SPDX-License-Identifier: Apache-2.0
// plugin.toml, as a note carries it, with its option schemas.
#include "fuzz/target.h"
#include "kernel/host/plugins/rules.h"

ATTUNE_FUZZ_TARGET(metadata) {
  using namespace attune;
  try {
    const PluginInfo info = parse_plugin("x.attune.so", std::string(bytes), bytes.size());
    check_metadata(info, {0, 1, "torch=2.11.0 arch=x86_64"});
    for (const Provided& provided : info.provides) format_options(provided.options);
  } catch (const FormatError&) {
  }
}
