// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/installation.h"

#include <set>

#include "kernel/host/services/digest.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

/// Kinds that runs use without naming them.
constexpr const char* kImplied[] = {"reader/1", "tokenizer/1", "weights/1"};

/// The plugins that `run` names, and with `implied` those that it may use besides.
class UsedPlugins {
 public:
  UsedPlugins(const Registry& registry, const Json& run, bool implied) : registry_(registry), implied_(implied) {
    add_run(run);
    for (const char* kind : kImplied) add_kind(kind);
  }
  std::vector<const PluginInfo*> plugins() const {
    std::vector<const PluginInfo*> found;
    for (const std::string& id : ids_) found.push_back(registry_.find(id));
    return found;
  }

 private:

  void add_run(const Json& run) {
    if (run.contains("model")) add_model(run["model"]);
    if (run.contains("generator")) add("generator/1", run["generator"]);
    if (run.contains("algorithm")) add("algorithm/1", run["algorithm"]);
    for (const char* split : {"train", "eval", "heldout"}) {
      if (run.contains("data") && run["data"].contains(split))
        add_each("dataset/1", run["data"][split]);
    }
    if (run.contains("generate") && run["generate"].contains("data"))
      add("dataset/1", run["generate"]["data"]);
    if (run.contains("tracker")) add_each("tracker/1", run["tracker"]);
    if (run.contains("evaluate") && run["evaluate"].is_array()) {
      add_each("evaluator/1", run["evaluate"]);
      for (const Json& entry : run["evaluate"]) {
        if (entry.contains("data")) add("dataset/1", entry["data"]);
      }
    }
    if (run.contains("stage")) {
      for (const Json& stage : run["stage"]) add_run(stage);
    }
  }
  void add_kind(const char* kind) {
    if (!implied_) return;
    for (const ProviderInfo& provider : registry_.providers(kind)) ids_.insert(provider.plugin_id);
  }
  void add(const char* kind, const Json& table) {
    if (table.contains("use") && table["use"] != "")
      ids_.insert(registry_.resolve(kind, table["use"].get<std::string>()).plugin->id);
  }
  void add_each(const char* kind, const Json& list) {
    for (const Json& table : list) add(kind, table);
  }
  void add_model(const Json& model) {
    if (model.value("use", "").empty()) {
      add_kind("model/1");
    } else {
      add("model/1", model);
    }
  }

  const Registry& registry_;
  const bool implied_;
  std::set<std::string> ids_;
};

}  // namespace

Installation::Installation(const Surroundings& surroundings, Console& console,
                           std::vector<std::string> command_line_folders,
                           std::vector<std::string> manifest_folders)
    : surroundings_(surroundings), console_(console) {
  settings_.command_line = std::move(command_line_folders);
  settings_.manifest = std::move(manifest_folders);
  settings_.environment = surroundings.plugin_path;
  settings_.data_home = surroundings.data_home;
  settings_.executable_folder = fs::path(surroundings.executable).parent_path().string();
}

const Registry& Installation::registry() {
  if (!registry_) registry_ = std::make_unique<Registry>(search_path());
  return *registry_;
}

Loader& Installation::loader() {
  if (!loader_) {
    const auto log = [&console = console_](std::string_view plugin, int level,
                                           std::string_view message) {
      if (level >= ATTUNE_LOG_WARN) console.err << plugin << ": " << message << std::endl;
    };
    loader_ = std::make_unique<Loader>(registry(), engine_file(), log, Gate(policy(), pinned_),
                                       unknown());
  }
  return *loader_;
}

Unknown Installation::unknown() const {
  const auto installed = fs::path(settings_.executable_folder).parent_path() / "lib" / "attune";
  const std::string cache = cache_folder();
  return Unknown(installed.string(), cache.empty() ? "" : cache + "/probed-" ATTUNE_VERSION);
}

std::string Installation::engine_file() const {
  return (fs::path(settings_.executable_folder).parent_path() / "lib" / "libattune-engine.so")
      .string();
}

Engine& Installation::engine() { return *loader().engine(); }

const Policy& Installation::policy() {
  if (!policy_) policy_ = read_policy(surroundings_.site_files);
  return *policy_;
}

std::vector<const PluginInfo*> Installation::plugins_of(const Json& run) {
  return UsedPlugins(registry(), run, /*implied=*/true).plugins();
}

void Installation::prove(const Json& run) {
  std::vector<Provider> named;
  for (const PluginInfo* plugin : UsedPlugins(registry(), run, /*implied=*/false).plugins()) named.push_back({plugin, nullptr});
  loader().prove(named);
}

Json Installation::software(const Json& run) {
  Json plugins = Json::array();
  for (const PluginInfo* plugin : plugins_of(run)) {
    plugins.push_back({{"id", plugin->id},
                       {"version", plugin->version},
                       {"sha256", sha256_file(plugin->file)}});
  }
  Json made = {{"attune", ATTUNE_VERSION},
               {"fingerprint", ATTUNE_FINGERPRINT},
               {"host_sha256", sha256_file(surroundings_.executable)}};
  if (fs::exists(engine_file())) made["engine_sha256"] = sha256_file(engine_file());
  made["plugins"] = std::move(plugins);
  return made;
}

}  // namespace attune
