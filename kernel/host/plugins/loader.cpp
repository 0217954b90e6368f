// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/loader.h"

#include <algorithm>
#include <atomic>
#include <boost/dll/shared_library.hpp>
#include <exception>
#include <filesystem>
#include <mutex>
#include <optional>

#include "kernel/host/manifest/option_schema.h"
#include "kernel/host/plugins/bundled.h"
#include "kernel/host/plugins/entry_check.h"
#include "kernel/host/plugins/fp_mode.h"
#include "kernel/host/plugins/open_library.h"
#include "kernel/host/plugins/probe.h"
#include "kernel/host/plugins/rules.h"

namespace attune {
namespace {

namespace dll = boost::dll;

thread_local std::string failure;

std::string code_name(int32_t code) {
  static constexpr const char* names[] = {
      "ATTUNE_OK",   "ATTUNE_E_INVALID", "ATTUNE_E_UNSUPPORTED", "ATTUNE_E_NOT_FOUND",
      "ATTUNE_E_IO", "ATTUNE_E_NOMEM",   "ATTUNE_E_CANCELLED",   "ATTUNE_E_INTERNAL"};
  const bool known = code >= 0 && code < static_cast<int32_t>(std::size(names));
  return std::to_string(code) + (known ? std::string(" (") + names[code] + ")" : "");
}

/// Runs plugin code. Nothing may throw through the C boundary, yet what does is caught and named.
template <typename Body>
auto call(const std::string& id, const char* function, Body body) {
  const auto blame = [&](const std::string& what) {
    return Error(id + ": " + function + ": an exception left the plugin (rule P-11): " + what +
                     "; report it to the plugin's author",
                 ATTUNE_E_INTERNAL);
  };
  failure.clear();
  try {
    return body();
  } catch (const std::exception& error) {
    throw blame(error.what());
  } catch (...) {
    throw blame("no std::exception");
  }
}

}  // namespace

std::string last_failure() { return std::exchange(failure, {}); }

void check(int32_t code, std::string_view plugin_id, std::string_view function) {
  if (code == ATTUNE_OK) return;
  const std::string said = last_failure();
  throw Error(std::string(plugin_id) + ": " + std::string(function) + ": " +
                  (said.empty() ? "failed with code " + code_name(code) + " and no message" : said),
              code);
}

// ---- a plugin in this process
// ---------------------------------------------------------------------------------------

struct Loader::Opened {
  std::string id;
  std::shared_ptr<const SealedFile> file;  ///< debuggers find the code by its descriptor
  dll::shared_library library;
  const attune_entry* entry = nullptr;
  bool initialised = false;
  std::optional<Refused> refused;
  std::atomic<std::shared_ptr<const Log>> log;
  attune_host host{};
  attune_log log_service{};

  Opened(std::string plugin_id, std::shared_ptr<const SealedFile> sealed)
      : id(std::move(plugin_id)), file(std::move(sealed)) {
    host = {.size = ATTUNE_END(attune_host, fail),
            .abi_major = ATTUNE_ABI_MAJOR,
            .abi_minor = ATTUNE_ABI_MINOR,
            .context = this,
            .service = &Opened::service,
            .fail = &Opened::fail};
    log_service = {.size = ATTUNE_END(attune_log, write),
                   .reserved = 0,
                   .context = this,
                   .write = &Opened::write};
  }

  static const void* service(const attune_host* host, const char* service_id) {
    auto& self = *static_cast<Opened*>(host->context);
    return service_id && std::string_view(service_id) == "attune.log/1" ? &self.log_service
                                                                        : nullptr;
  }

  static int32_t fail(const attune_host*, int32_t code, attune_str why) {
    try {
      failure.assign(why.data ? why.data : "", why.data ? why.size : 0);
    } catch (const std::bad_alloc&) {
      failure.clear();
    }
    return code;
  }

  static void write(const attune_log* service, int32_t level, attune_str message) {
    const auto& self = *static_cast<const Opened*>(service->context);
    try {
      if (const auto log = self.log.load())
        (*log)(self.id, level, {message.data ? message.data : "", message.data ? message.size : 0});
    } catch (...) {
      // A message that cannot be written is no reason to unwind through a plugin.
    }
  }
};

namespace {

/// Every plugin that this process opened, by the SHA-256 of its bytes. Never destroyed: closing a library while
/// something of it is alive crashes.
struct Everything {
  std::mutex mutex;
  std::map<std::string, Loader::Opened*> plugins;
};

Everything& everything() {
  static auto* const all = new Everything;
  return *all;
}

/// Refuses a plugin that changed the floating-point mode since `before`, and restores it.
void check_fp_mode(uint64_t before, const PluginInfo& plugin) {
  const uint64_t after = fp_mode();
  if (after == before) return;
  set_fp_mode(before);
  char found[64];
  std::snprintf(found, sizeof found, "0x%llx after loading, 0x%llx before",
                static_cast<unsigned long long>(after), static_cast<unsigned long long>(before));
  throw Refused({"P-17", plugin.file, "the floating-point mode to stay as it is", found,
                 "link the plugin, and what is linked into it, without -ffast-math"});
}

/// P-05: a plugin of the pure tier brought no LibTorch into the process, however it did it.
void check_no_torch(const std::vector<std::string>& before, const PluginInfo& plugin) {
  if (plugin.tier == Tier::kTorch) return;
  for (const std::string& library : torch_libraries()) {
    if (std::find(before.begin(), before.end(), library) != before.end()) continue;
    throw Refused({"P-05", plugin.file, "a plugin of the pure tier to open no LibTorch",
                   "it opened " + library,
                   "say tier = \"torch\" in plugin.toml, or take the call of dlopen out"});
  }
}

/// Opens the file and compares its entry with the note.
void open_entry(const PluginInfo& plugin, Loader::Opened& opened) {
  const uint64_t mode = fp_mode();
  std::error_code error;
  std::string why;
  open_bundled(*opened.file);
  opened.library = open_library(opened.file->loadable(), plugin.file, error, why);
  check_fp_mode(mode, plugin);
  if (error) {
    throw Refused(
        {"P-08", plugin.file, "every library and symbol that it needs to be there", why,
         "install what is missing beside the plugin, or rebuild it with attune_add_plugin"});
  }
  const auto entry_point = opened.library.get<const attune_entry*()>("attune_plugin_v1");
  opened.entry = call(plugin.id, "attune_plugin_v1", [&] { return entry_point(); });
  if (const std::string difference = entry_difference(opened.entry, plugin); !difference.empty()) {
    throw Refused({"P-03", plugin.file, "the code to be what its note says", difference,
                   "build plugin.toml and the source together, with attune_add_plugin"});
  }
}

}  // namespace

// ---- loader
// ---------------------------------------------------------------------------------------------------------

Loader::Loader(const Registry& registry, std::string engine_file, Log log, Gate gate,
               Unknown unknown)
    : registry_(registry),
      engine_{std::move(engine_file), nullptr},
      log_(std::make_shared<const Log>(std::move(log))),
      gate_(std::move(gate)),
      unknown_(std::move(unknown)) {}

Loader::~Loader() {
  for (Opened* opened : opened_) {
    if (opened->log.load() == log_) opened->log.store(nullptr);
  }
}

EngineFile Loader::engine_file() {
  if (!engine_.sealed && gate_.asks() && std::filesystem::exists(engine_.path)) {
    auto sealed = std::make_shared<const SealedFile>(engine_.path);
    if (auto refusals = gate_.check(*sealed); !refusals.empty()) throw Refused(std::move(refusals));
    engine_.sealed = std::move(sealed);
  }
  return engine_;
}

Engine* Loader::engine() { return load_engine(engine_file()); }

void Loader::prove(std::span<const Provider> providers) {
  std::vector<Refusal> refusals;
  std::map<std::string, std::shared_ptr<const SealedFile>> fine;
  for (const Provider& provider : providers) {
    const PluginInfo& plugin = *provider.plugin;
    if (proven_.contains(plugin.file) || fine.contains(plugin.file)) continue;
    const auto sealed = std::make_shared<const SealedFile>(plugin.file);
    for (const auto& found : {check_sealed(plugin, *sealed, registry_.host()),
                              check_bundled(plugin, *sealed, gate_), gate_.check(*sealed)})
      refusals.insert(refusals.end(), found.begin(), found.end());
    fine.emplace(plugin.file, sealed);
  }
  if (!refusals.empty()) throw Refused(std::move(refusals));
  for (const auto& provider : providers)
    if (provider.plugin->tier == Tier::kTorch) engine_file();
  for (const Provider& provider : providers) {
    const auto found = fine.find(provider.plugin->file);
    if (found == fine.end() || !unknown_.applies(*found->second)) continue;
    const bool torch = provider.plugin->tier == Tier::kTorch;
    if (auto refusal = probe(*provider.plugin, *found->second, {.engine = torch ? engine_file() : EngineFile()}))
      throw Refused(std::move(*refusal));
    unknown_.passed(*found->second);
  }
  proven_.merge(fine);
}

Loader::Opened& Loader::open(const PluginInfo& plugin) {
  if (plugin.tier == Tier::kTorch) engine();
  const auto& file = proven_.at(plugin.file);
  const auto torch = torch_libraries();
  Everything& all = everything();
  const std::scoped_lock lock(all.mutex);
  Opened*& opened = all.plugins[file->sha256()];
  if (!opened) {
    opened = new Opened(plugin.id, file);
    opened->log.store(log_);
    try {
      open_entry(plugin, *opened);
      check_no_torch(torch, plugin);
    } catch (const Refused& refused) {
      // A second attempt would not run the file's constructors again, and so would find nothing
      // wrong.
      opened->refused = refused;
    } catch (...) {
      opened = nullptr;
      throw;
    }
  }
  if (opened->refused) throw *opened->refused;
  opened->log.store(log_);
  if (std::find(opened_.begin(), opened_.end(), opened) == opened_.end()) opened_.push_back(opened);
  if (!opened->initialised && opened->entry->init) {
    const uint64_t mode = fp_mode();
    check(call(plugin.id, "init", [&] { return opened->entry->init(&opened->host); }), plugin.id,
          "init");
    check_fp_mode(mode, plugin);
    check_no_torch(torch, plugin);
  }
  opened->initialised = true;
  return *opened;
}

LoadedObject Loader::create(std::string_view kind, std::string_view use, const Json& options) {
  return create(registry_.resolve(kind, use), options);
}

LoadedObject Loader::create(const Provider& provider, const Json& options) {
  const PluginInfo& plugin = *provider.plugin;
  const Provided& wanted = *provider.factory;
  Json given;
  try {
    given = validate_options(wanted.options, options.is_null() ? Json::object() : options);
  } catch (const ExitError&) {
    throw;
  } catch (const Error& error) {
    throw ExitError(Exit::kManifest, wanted.kind + " \"" + provider.use() + "\": " + error.what());
  }
  prove({&provider, 1});
  const Opened& opened = open(plugin);
  const auto torch = torch_libraries();
  for (auto factory = opened.entry->factories; *factory; ++factory) {
    if ((*factory)->kind != wanted.kind || (*factory)->name != wanted.name) continue;
    Arena arena;
    const attune_value value = to_value(given, arena);
    LoadedObject made{nullptr, plugin.id};
    check(call(plugin.id, "create",
               [&] { return (*factory)->create(&opened.host, &value, &made.table); }),
          plugin.id, "create");
    check_no_torch(torch, plugin);
    if (!made.table)
      throw Error(plugin.id +
                  ": create: reported success and made nothing; report it to the plugin's author");
    return made;
  }
  throw Error(plugin.id + ": factory " + wanted.kind + " \"" + wanted.name + "\" is gone");
}

void Loader::shutdown() {
  for (auto opened = opened_.rbegin(); opened != opened_.rend(); ++opened) {
    if ((*opened)->initialised && (*opened)->entry->deinit) {
      call((*opened)->id, "deinit", [&] { (*opened)->entry->deinit(); });
    }
    (*opened)->initialised = false;
  }
  opened_.clear();
}

}  // namespace attune
