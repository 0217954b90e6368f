// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernel/host/json.h"
#include "kernel/host/plugins/registry.h"

namespace attune {

/// What the host makes of everything on its search path, without loading any of it.
struct Examination {
  struct File {
    std::string path;
    std::optional<PluginInfo> info;
    std::vector<Refusal> refusals;
    std::string shadowed_by;  ///< the file of the same plugin that came first
    bool clash = false;       ///< that file is of the same version and other bytes: nothing runs while both are there
  };
  struct Folder {
    SearchFolder folder;
    bool there = false;
    std::vector<Refusal> refusals;
    std::vector<File> files;  ///< every *.attune.so, by name
  };
  std::vector<Folder> folders;  ///< first first
  HostFacts host;

  /// Nothing is refused and nothing clashes.
  bool sound() const;
};

Examination examine(const std::vector<SearchFolder>& folders, HostFacts host = this_host());
std::string examination_text(const Examination& examination);
Json examination_json(const Examination& examination);

}  // namespace attune
