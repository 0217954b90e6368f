// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/host/plugins/loader.h"
#include "kernel/host/plugins/registry.h"
#include "kernel/host/services/console.h"
#include "kernel/host/trust/gate.h"

namespace attune {

/// What main found around the process: nothing else reads the environment.
struct Surroundings {
  std::string executable;    ///< the attune binary
  std::string plugin_path;   ///< ATTUNE_PLUGIN_PATH
  std::string data_home;     ///< XDG_DATA_HOME or ~/.local/share
  std::string cache_home;    ///< XDG_CACHE_HOME or ~/.cache
  std::string command_line;  ///< as it was typed
  std::vector<SiteFile> site_files = {};  ///< where the site's configuration may lie, first first
};

/// The plugins and the engine of this installation, found and opened when they are first needed.
class Installation {
 public:
  Installation(const Surroundings& surroundings, Console& console,
               std::vector<std::string> command_line_folders,
               std::vector<std::string> manifest_folders = {});

  /// Where plugins are sought, first first.
  std::vector<SearchFolder> search_path() const { return attune::search_path(settings_); }
  const Registry& registry();
  Loader& loader();
  Engine& engine();
  std::string engine_file() const;
  /// Where what is measured once is kept; empty: nowhere.
  std::string cache_folder() const { return surroundings_.cache_home.empty() ? "" : surroundings_.cache_home + "/attune"; }

  /// Whom the site trusts.
  const Policy& policy();
  /// From now on only code is loaded that is pinned. Call it before anything is loaded.
  void pin(Gate::Pinned pinned) { pinned_ = std::move(pinned); }
  /// The plugins that `run` may use, by id. `run` may be a pipeline.
  std::vector<const PluginInfo*> plugins_of(const Json& run);
  /// Checks all plugins that `run` names, before any is loaded. Throws Refused.
  void prove(const Json& run);
  std::string executable() const { return surroundings_.executable; }

  /// Versions and digests of the host, the engine and the plugins that `run` may use. `run` may be
  /// a pipeline.
  Json software(const Json& run);

 private:
  Unknown unknown() const;

  const Surroundings& surroundings_;
  Console& console_;
  SearchSettings settings_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<Loader> loader_;
  std::optional<Policy> policy_;
  std::optional<Gate::Pinned> pinned_;
};

}  // namespace attune
