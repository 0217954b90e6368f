// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/bundled.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>

#include "kernel/host/plugins/elf_facts.h"
#include "kernel/host/plugins/rules.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

using Bundle = std::vector<std::shared_ptr<const SealedFile>>;

bool known(const Bundle& bundle, const std::string& path) {
  return std::any_of(bundle.begin(), bundle.end(),
                     [&](const auto& library) { return library->path() == path; });
}

/// What `file`, which lies at its path, needs from beside it; what a library needs comes before it.
void gather(const SealedFile& file, Bundle& found) {
  ElfFacts facts;
  try {
    facts = read_elf(file.bytes());
  } catch (const FormatError&) {
    return;  // Rule P-02 names it, or the loader does.
  }
  const fs::path folder = fs::absolute(file.path()).parent_path();
  for (const std::string& name : facts.needed) {
    if (is_torch_library(name) || name.find('/') != name.npos) continue;
    for (const std::string& run_path : facts.run_paths) {
      if (!run_path.starts_with('$')) continue;
      const std::string below = resolved(run_path, folder.string());
      const std::string path = (fs::path(below) / name).lexically_normal().string();
      std::error_code ignored;
      if (!fs::is_regular_file(path, ignored) || known(found, path)) continue;
      const auto library = std::make_shared<const SealedFile>(path);
      gather(*library, found);
      found.push_back(library);
      break;
    }
  }
}

struct Kept {
  std::mutex mutex;
  std::map<const SealedFile*, Bundle> checked;
  Bundle opened;
};

/// Never destroyed, as the plugins that use them are not.
Kept& kept() {
  static auto* const all = new Kept;
  return *all;
}

}  // namespace

std::string resolved(const std::string& run_path, const std::string& folder) {
  for (const std::string_view origin : {"$ORIGIN", "${ORIGIN}"}) {
    if (run_path.starts_with(origin)) return folder + run_path.substr(origin.size());
  }
  return run_path;
}

std::vector<Refusal> check_bundled(const PluginInfo& plugin, const SealedFile& file,
                                   const Gate& gate) {
  Bundle bundle;
  gather(file, bundle);
  std::vector<Refusal> refusals;
  for (const auto& library : bundle) {
    if (library->world_writable()) {
      refusals.push_back({"P-21", library->path(), "a file that only its owner and group may write",
                          "one that anybody may write, which " + plugin.id + " needs",
                          "chmod o-w '" + library->path() + "', once you know that nobody changed it"});
    }
    const auto found = gate.check(*library);
    refusals.insert(refusals.end(), found.begin(), found.end());
  }
  const std::scoped_lock lock(kept().mutex);
  if (!bundle.empty()) kept().checked[&file] = std::move(bundle);
  return refusals;
}

void open_bundled(const SealedFile& file) {
  const std::scoped_lock lock(kept().mutex);
  const auto bundle = kept().checked.extract(&file);
  if (bundle.empty()) return;
  for (const auto& library : bundle.mapped()) {
    if (dlopen(library->loadable().c_str(), RTLD_NOW | RTLD_LOCAL)) kept().opened.push_back(library);
  }
}

std::vector<std::string> bundled_files(const std::string& file) {
  Bundle bundle;
  gather(SealedFile(file), bundle);
  std::vector<std::string> paths;
  for (const auto& library : bundle) paths.push_back(library->path());
  return paths;
}

std::vector<std::string> torch_libraries() {
  std::vector<std::string> found;
  const auto add = [](dl_phdr_info* info, size_t, void* out) {
    const std::string path = info->dlpi_name ? info->dlpi_name : "";
    const std::string name = path.substr(path.rfind('/') + 1);
    if (name.starts_with("libtorch") || name.starts_with("libc10"))
      static_cast<std::vector<std::string>*>(out)->push_back(path);
    return 0;
  };
  dl_iterate_phdr(add, &found);
  return found;
}

}  // namespace attune
