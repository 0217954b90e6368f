// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/host/json.h"
#include "kernel/host/plugins/elf_facts.h"
#include "kernel/host/plugins/registry.h"

/// What `attune plugins` prints. Nothing here loads a plugin.
namespace attune {

/// A table of every factory: kind, name, plugin, version, tier, summary; below it, refused files
/// with their reasons.
std::string list_text(const Registry& registry);
Json list_json(const Registry& registry);

/// All that a file tells without being run.
struct Inspection {
  std::string file;
  std::optional<PluginInfo> info;  ///< where the note is well-formed
  std::optional<ElfFacts> facts;   ///< where the file is a shared library
  std::vector<Refusal> refusals;   ///< empty: this host would load it
  HostFacts host;
};

/// `target` is a file, a plugin id, or the name of a factory. Throws ExitError(kPluginMissing)
/// where there is none.
Inspection inspect(const Registry& registry, const std::string& target);
std::string inspect_text(const Inspection& inspection);
Json inspect_json(const Inspection& inspection);

}  // namespace attune
