// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/engine_library.h"

#include <dlfcn.h>

#include <filesystem>
#include <mutex>

#include "kernel/host/exit.h"
#include "kernel/host/plugins/bundled.h"
#include "kernel/host/plugins/elf_facts.h"
#include "kernel/host/plugins/open_library.h"
#include "kernel/host/plugins/rules.h"

namespace attune {
namespace {

/// Never destroyed: closing a library while something of it is alive crashes.
struct Opened {
  std::mutex mutex;
  EngineFile file;  ///< debuggers find the code by its descriptor
  boost::dll::shared_library library;
  Engine* engine = nullptr;
};

Opened& opened() {
  static auto* const all = new Opened;
  return *all;
}

/// What cannot be found or opened is left for the loader to name, when it opens the engine.
void open_torch(const EngineFile& file) {
  ElfFacts facts;
  try {
    facts = read_elf(file.sealed->bytes());
  } catch (const FormatError&) {
    return;
  }
  const std::string folder = std::filesystem::absolute(file.path).parent_path().string();
  for (const std::string& name : facts.needed) {
    if (!is_torch_library(name)) continue;
    for (const std::string& run_path : facts.run_paths) {
      const std::string library = resolved(run_path, folder) + "/" + name;
      if (dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL)) break;
    }
  }
}

[[noreturn]] void refuse(const EngineFile& file, const std::string& why) {
  throw ExitError(Exit::kPluginRefused, "engine library " + file.path + ": " + why);
}

}  // namespace

Engine* load_engine(const EngineFile& file) {
  Opened& all = opened();
  const std::scoped_lock lock(all.mutex);
  if (all.engine) return all.engine;
  if (!std::filesystem::exists(file.path)) {
    throw ExitError(Exit::kPluginMissing, "engine library " + file.path +
                                              ": expected it to be there, since this run needs "
                                              "tensors; install Attune with its engine");
  }
  if (file.sealed) open_torch(file);
  std::error_code error;
  std::string why;
  auto library = open_library(file.sealed ? file.sealed->loadable() : file.path, file.path, error, why);
  if (error)
    refuse(file, "cannot be opened: " + why + "; is LibTorch where it was when Attune was built?");
  if (!library.has("attune_engine_v1"))
    refuse(file, "expected it to export attune_engine_v1; it is of another Attune");
  Engine* const engine = library.get<Engine*()>("attune_engine_v1")();
  if (!engine) refuse(file, "attune_engine_v1 returned NULL");
  all.library = std::move(library);
  all.file = file;
  return all.engine = engine;
}

}  // namespace attune
