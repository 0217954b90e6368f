// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/host/manifest/catalogue.h"
#include "kernel/host/plugins/metadata.h"
#include "kernel/host/plugins/refusal.h"
#include "kernel/host/plugins/rules.h"

namespace attune {

/// A folder of plugins, and who named it.
struct SearchFolder {
  std::string path;
  std::string origin;     ///< "--plugin-path", "the manifest", ...
  bool required = false;  ///< it is an error if it is not there
};

/// Where the folders of a search come from, first first.
struct SearchSettings {
  std::vector<std::string> command_line;  ///< --plugin-path
  std::vector<std::string> manifest;      ///< plugins.path
  std::string
      environment;  ///< ATTUNE_PLUGIN_PATH, folders separated by ':'; "" for a privileged process
  std::string data_home;          ///< ~/.local/share, "" for none and for a privileged process
  std::string executable_folder;  ///< plugins of the installation lie in ../lib/attune
};
std::vector<SearchFolder> search_path(const SearchSettings& settings);

/// A plugin and one of its factories.
struct Provider {
  const PluginInfo* plugin = nullptr;
  const Provided* factory = nullptr;
  std::string use() const { return plugin->id + ":" + factory->name; }
};

/// Which plugins there are: every *.attune.so of the search path, by its note. Loads nothing.
/// Immutable; any thread. A plugin id is found once: in the first folder that has it, by file name
/// within a folder.
class Registry final : public Catalogue {
 public:
  /// Throws Refused where two files carry one id and version but differ, ExitError where a required
  /// folder is missing.
  explicit Registry(std::vector<SearchFolder> folders, HostFacts host = this_host());

  std::vector<ProviderInfo> providers(std::string_view kind) const override;

  /// `use` is "name" or "plugin.id:name". Throws ExitError(kPluginMissing) where there is none or
  /// more than one, saying what there is, where it was sought, and what was refused there and why.
  Provider resolve(std::string_view kind, std::string_view use) const;
  /// The factory whose `suffixes` hold the longest suffix of `path`. Throws
  /// ExitError(kPluginMissing) listing the known ones.
  Provider by_suffix(std::string_view kind, std::string_view path) const;
  /// The factory whose `architectures` list holds `architecture`, as in a checkpoint's config.json.
  Provider by_architecture(std::string_view kind, std::string_view architecture) const;
  /// The only factory of a kind.
  Provider only(std::string_view kind) const;

  /// Usable plugins, by id.
  const std::vector<std::unique_ptr<const PluginInfo>>& plugins() const { return plugins_; }
  /// A plugin by id; null if there is none.
  const PluginInfo* find(std::string_view id) const;

  struct RefusedFile {
    std::string file;
    std::optional<PluginInfo> info;  ///< where its note could be read
    std::vector<Refusal> refusals;
  };
  const std::vector<RefusedFile>& refused() const { return refused_; }
  const std::vector<SearchFolder>& folders() const { return folders_; }
  const HostFacts& host() const { return host_; }

 private:
  void scan(const SearchFolder& folder);
  void add(const std::string& file);
  std::vector<Provider> of_kind(std::string_view kind) const;
  std::vector<const RefusedFile*> refused_for(std::string_view kind, std::string_view use) const;
  /// Where plugins were sought and what was refused there: the end of every message about a missing
  /// plugin.
  std::string searched(const std::vector<const RefusedFile*>& refused) const;
  [[noreturn]] void missing(std::string_view kind, std::string_view use) const;
  [[noreturn]] void ambiguous(std::string_view what, const std::vector<Provider>& found) const;

  std::vector<SearchFolder> folders_;
  HostFacts host_;
  std::vector<std::unique_ptr<const PluginInfo>> plugins_;
  std::vector<RefusedFile> refused_;
};

}  // namespace attune
