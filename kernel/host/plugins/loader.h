// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "attune/abi.h"
#include "kernel/host/json.h"
#include "kernel/host/plugins/engine_library.h"
#include "kernel/host/plugins/registry.h"
#include "kernel/host/plugins/sealed_file.h"
#include "kernel/host/plugins/unknown.h"
#include "kernel/host/trust/gate.h"

namespace attune {

/// What the last failing call of a plugin on this thread said, once: it is forgotten then. "" if it
/// said nothing.
std::string last_failure();

/// Throws Error "plugin.id: function: message" unless `code` is ATTUNE_OK.
void check(int32_t code, std::string_view plugin_id, std::string_view function);

/// What a plugin made: the table of its kind, and who made it.
struct LoadedObject {
  void* table = nullptr;
  std::string plugin_id;
};

/// Proves plugins, opens them and makes their objects. Files stay open until the process ends,
/// because objects, threads and tensors may outlive any order of closing. [control]
class Loader {
 public:
  /// What plugins say by the service "attune.log/1". [any]
  using Log = std::function<void(std::string_view plugin_id, int level, std::string_view message)>;

  /// `registry` must outlive the loader; `engine_file` is opened before the first plugin of the
  /// torch tier. `gate` decides whom to trust; `unknown` which files a child process tries first.
  Loader(const Registry& registry, std::string engine_file, Log log, Gate gate = {},
         Unknown unknown = {});
  /// Plugins may live on; what they log from now on is dropped.
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Checks every rule that needs no plugin code, of all providers, before any is loaded, on copies
  /// that nobody can change: what is opened later are these bytes. Throws Refused with all that
  /// failed.
  void prove(std::span<const Provider> providers);

  /// Options are checked against the factory's schema and completed with defaults. Throws
  /// ExitError(kPluginMissing), Refused, ExitError(kManifest) for options, and Error "plugin.id:
  /// create: message". The caller destroys the table.
  LoadedObject create(std::string_view kind, std::string_view use, const Json& options);
  LoadedObject create(const Provider& provider, const Json& options);

  /// The engine, once the gate lets its file in. Where the gate asks, what it saw is what is opened.
  Engine* engine();

  /// `loader.make<attune_dataset>("dataset/1", "columns", options)`; the handle destroys the
  /// object.
  template <typename Table>
  Plugin<Table> make(std::string_view kind, std::string_view use,
                     const Json& options = Json::object()) {
    return own<Table>(create(kind, use, options));
  }
  template <typename Table>
  Plugin<Table> make(const Provider& provider, const Json& options = Json::object()) {
    return own<Table>(create(provider, options));
  }

  /// Calls `deinit` of the plugins that this loader opened, last first. No object may be alive.
  void shutdown();

  const Registry& registry() const { return registry_; }

  /// A plugin in this process.
  struct Opened;

 private:
  template <typename Table>
  static Plugin<Table> own(const LoadedObject& made) {
    auto* table = static_cast<Table*>(made.table);
    if (table->size < ATTUNE_END(Table, destroy) || !table->destroy) {
      throw Error(made.plugin_id + ": create: expected a table with `destroy`, found one of " +
                  std::to_string(table->size) + " bytes");
    }
    return Plugin<Table>(table, [](Table* object) {
      if constexpr (std::is_same_v<Table, attune_object>) {
        object->destroy(object);
      } else {
        object->destroy(object->self);
      }
    });
  }

  Opened& open(const PluginInfo& plugin);
  EngineFile engine_file();

  const Registry& registry_;
  EngineFile engine_;
  std::shared_ptr<const Log> log_;
  Gate gate_;
  Unknown unknown_;
  std::map<std::string, std::shared_ptr<const SealedFile>> proven_;  ///< by the file's path
  std::vector<Opened*> opened_;
};

}  // namespace attune
