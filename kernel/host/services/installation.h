// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kernel/host/plugins/loader.h"
#include "kernel/host/plugins/registry.h"
#include "kernel/host/services/console.h"

namespace attune {

/// What main found around the process: nothing else reads the environment.
struct Surroundings {
  std::string executable;    ///< the attune binary
  std::string plugin_path;   ///< ATTUNE_PLUGIN_PATH
  std::string data_home;     ///< XDG_DATA_HOME or ~/.local/share
  std::string cache_home;    ///< XDG_CACHE_HOME or ~/.cache
  std::string command_line;  ///< as it was typed
};

/// The plugins and the engine of this installation, found and opened when they are first needed.
class Installation {
 public:
  Installation(const Surroundings& surroundings, Console& console,
               std::vector<std::string> command_line_folders,
               std::vector<std::string> manifest_folders = {});

  const Registry& registry();
  Loader& loader();
  Engine& engine();
  std::string engine_file() const;
  /// Where what is measured once is kept; empty: nowhere.
  std::string cache_folder() const { return surroundings_.cache_home.empty() ? "" : surroundings_.cache_home + "/attune"; }

  /// Versions and digests of the host, the engine and the plugins that `run` may use. `run` may be
  /// a pipeline.
  Json software(const Json& run);

 private:
  const Surroundings& surroundings_;
  Console& console_;
  SearchSettings settings_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<Loader> loader_;
};

}  // namespace attune
