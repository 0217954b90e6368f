// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/entry_check.h"

#include <set>

namespace attune {

std::string entry_difference(const attune_entry* entry, const PluginInfo& plugin) {
  if (!entry) return "attune_plugin_v1 returned NULL";
  if (entry->size < ATTUNE_END(attune_entry, factories) || !entry->id || !entry->fingerprint ||
      !entry->factories) {
    return "an entry of " + std::to_string(entry->size) + " bytes that lacks members";
  }
  if (entry->id != plugin.id)
    return "id \"" + std::string(entry->id) + "\" in the code, \"" + plugin.id + "\" in the note";
  if (entry->abi_major != plugin.abi_major || entry->abi_minor != plugin.abi_minor) {
    return "ABI " + std::to_string(entry->abi_major) + "." + std::to_string(entry->abi_minor) +
           " in the code, " + std::to_string(plugin.abi_major) + "." +
           std::to_string(plugin.abi_minor) + " in the note";
  }
  if (entry->fingerprint != plugin.fingerprint)
    return "fingerprint \"" + std::string(entry->fingerprint) + "\" in the code";

  std::set<std::string> in_code, in_note;
  for (auto factory = entry->factories; *factory; ++factory) {
    const attune_factory& made = **factory;
    if (made.size < ATTUNE_END(attune_factory, create) || !made.kind || !made.name || !made.create)
      return "a factory that lacks members";
    in_code.insert(std::string(made.kind) + " \"" + made.name + "\"");
  }
  for (const Provided& provided : plugin.provides)
    in_note.insert(provided.kind + " \"" + provided.name + "\"");
  for (const auto& name : in_code) {
    if (!in_note.contains(name)) return "factory " + name + " in the code alone";
  }
  for (const auto& name : in_note) {
    if (!in_code.contains(name)) return "factory " + name + " in the note alone";
  }
  return "";
}

}  // namespace attune
