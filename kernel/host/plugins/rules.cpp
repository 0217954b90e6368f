// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/rules.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "attune/abi.h"

namespace attune {
namespace {

constexpr std::string_view kEntryPoint = "attune_plugin_v1";

/// "a, b and 3 more"
std::string some(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) text += (i ? ", " : "") + names[i];
  if (names.size() > kShown) text += " and " + std::to_string(names.size() - kShown) + " more";
  return text;
}

template <typename Predicate>
std::vector<std::string> those(const std::vector<std::string>& names, Predicate predicate) {
  std::vector<std::string> found;
  std::copy_if(names.begin(), names.end(), std::back_inserter(found), predicate);
  return found;
}

std::string version(int major, int minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

bool is_allocation(std::string_view symbol) {
  static const std::set<std::string_view> names = {"malloc",         "calloc",   "realloc",
                                                   "free",           "memalign", "aligned_alloc",
                                                   "posix_memalign", "valloc",   "pvalloc"};
  static constexpr std::string_view prefixes[] = {"_Znw", "_Zna", "_Zdl", "_Zda", "__cxa_"};
  return names.contains(symbol) ||
         std::any_of(std::begin(prefixes), std::end(prefixes),
                     [&](auto prefix) { return symbol.starts_with(prefix); });
}

/// What TORCH_LIBRARY, TORCH_LIBRARY_IMPL and RegisterOperators call before main: a second
/// registration of one name ends the process, and none can be undone.
bool registers_operators(std::string_view symbol) {
  return symbol.starts_with("_ZN5torch7LibraryC") || symbol.starts_with("_ZN3c1017RegisterOperators") ||
         symbol.starts_with("_ZNR5torch7Library4_def") || symbol.starts_with("_ZNR5torch7Library5_impl");
}

/// Folders of the plugin itself. The torch tier may also name a LibTorch; one that is not here does
/// no harm.
bool run_path_allowed(const std::string& folder, Tier tier) {
  for (const std::string_view origin : {"$ORIGIN", "${ORIGIN}"}) {
    if (folder.starts_with(origin) &&
        (folder.size() == origin.size() || folder[origin.size()] == '/'))
      return true;
  }
  std::error_code ignored;
  return tier == Tier::kTorch && folder.starts_with('/') &&
         (!std::filesystem::exists(folder, ignored) ||
          std::filesystem::exists(folder + "/libtorch_cpu.so", ignored));
}

std::map<std::string, std::string, std::less<>> fields(std::string_view fingerprint) {
  std::map<std::string, std::string, std::less<>> found;
  while (!fingerprint.empty()) {
    const std::string_view field = fingerprint.substr(0, fingerprint.find(' '));
    fingerprint.remove_prefix(std::min(field.size() + 1, fingerprint.size()));
    if (field.empty()) continue;
    const size_t equals = std::min(field.find('='), field.size());
    found.emplace(field.substr(0, equals), field.substr(std::min(equals + 1, field.size())));
  }
  return found;
}

}  // namespace

HostFacts this_host() { return {ATTUNE_ABI_MAJOR, ATTUNE_ABI_MINOR, ATTUNE_FINGERPRINT}; }

std::vector<std::string> fingerprint_differences(std::string_view host, std::string_view plugin) {
  auto here = fields(host);
  const auto there = fields(plugin);
  std::vector<std::string> differences;
  for (const auto& [key, value] : there) here.try_emplace(key, "");
  for (const auto& [key, value] : here) {
    const auto other = there.find(key);
    const std::string found = other == there.end() ? "" : other->second;
    const auto shown = [](const std::string& text) {
      return text.empty() ? std::string("nothing") : text;
    };
    if (found != value)
      differences.push_back(key + ": " + shown(value) + " here, " + shown(found) +
                            " in the plugin");
  }
  return differences;
}

std::vector<Refusal> check_metadata(const PluginInfo& plugin, const HostFacts& host) {
  std::vector<Refusal> refusals;
  if (plugin.abi_major != host.abi_major || plugin.abi_minor > host.abi_minor) {
    const bool newer = plugin.abi_major > host.abi_major ||
                       (plugin.abi_major == host.abi_major && plugin.abi_minor > host.abi_minor);
    refusals.push_back({"P-04", plugin.file,
                        "plugin ABI " + std::to_string(host.abi_major) +
                            " with a minor of at most " + std::to_string(host.abi_minor),
                        "ABI " + version(plugin.abi_major, plugin.abi_minor),
                        newer ? "use a newer attune, or build the plugin with the SDK of ABI " +
                                    version(host.abi_major, host.abi_minor)
                              : "rebuild the plugin with the SDK of ABI " +
                                    version(host.abi_major, host.abi_minor)});
  }
  if (plugin.tier == Tier::kTorch && plugin.fingerprint != host.fingerprint) {
    const auto here = fields(host.fingerprint);
    const auto value = [&](std::string_view key) {
      const auto found = here.find(key);
      return found == here.end() ? std::string("?") : found->second;
    };
    std::string found;
    for (const auto& difference : fingerprint_differences(host.fingerprint, plugin.fingerprint)) {
      found += (found.empty() ? "" : "; ") + difference;
    }
    if (found.empty()) found = "the same fields in another order";
    refusals.push_back({"P-06", plugin.file, "a build with the host's fingerprint", found,
                        "rebuild the plugin with the SDK of torch revision " + value("sdk") +
                            " against LibTorch " + value("torch") + " for " + value("arch")});
  }
  return refusals;
}

bool is_torch_library(std::string_view soname) {
  return soname.starts_with("libtorch") || soname.starts_with("libc10") ||
         soname.starts_with("libattune-engine");
}

bool needs_torch_symbol(std::string_view symbol) {
  if (!symbol.starts_with("_Z")) return false;
  symbol.remove_prefix(2);
  // Type information, virtual tables and guards carry the name of their class.
  for (const std::string_view special : {"TI", "TV", "TS", "TT", "GV"}) {
    if (symbol.starts_with(special)) {
      symbol.remove_prefix(2);
      break;
    }
  }
  if (!symbol.starts_with('N')) return false;
  symbol.remove_prefix(std::min(symbol.find_first_not_of("rVKRO", 1), symbol.size()));
  return symbol.starts_with("2at") || symbol.starts_with("3c10") || symbol.starts_with("5torch");
}

std::vector<Refusal> check_elf(const PluginInfo& plugin, const ElfFacts& facts) {
  std::vector<Refusal> refusals;
  const auto refuse = [&](std::string rule, std::string expected, std::string found,
                          std::string cure) {
    refusals.push_back(
        {std::move(rule), plugin.file, std::move(expected), std::move(found), std::move(cure)});
  };

  if (plugin.tier == Tier::kPure) {
    const auto libraries = those(facts.needed, is_torch_library);
    const auto symbols = those(facts.undefined, needs_torch_symbol);
    const std::string cure =
        "say tier = \"torch\" in plugin.toml, or take LibTorch out of what the plugin links";
    if (!libraries.empty()) {
      refuse("P-05", "a plugin of the pure tier to need no LibTorch", "it needs " + some(libraries),
             cure);
    } else if (!symbols.empty()) {
      refuse("P-05", "a plugin of the pure tier to use no symbol of LibTorch", some(symbols), cure);
    }
  }

  const auto allocation = those(facts.defined, is_allocation);
  if (!allocation.empty()) {
    refuse("P-07", "a plugin to leave memory allocation to the process",
           "it defines " + some(allocation),
           "build with attune_add_plugin, which hides all symbols but one, and link no allocator");
  }

  const bool has_entry_point =
      std::count(facts.defined.begin(), facts.defined.end(), kEntryPoint) == 1;
  const auto extra = those(facts.defined, [](const std::string& name) {
    return name != kEntryPoint && !is_allocation(name);
  });
  if (!has_entry_point || !extra.empty()) {
    std::string found = has_entry_point ? "" : "it is not among the exports";
    if (!extra.empty()) found += (found.empty() ? "also " : ", but ") + some(extra);
    refuse("P-01", "one exported symbol, attune_plugin_v1", found,
           has_entry_point
               ? "build with attune_add_plugin, which hides all other symbols"
               : "end the source with ATTUNE_PLUGIN(...), and build with attune_add_plugin");
  }

  const auto registers = those(facts.undefined, registers_operators);
  if (!registers.empty()) {
    refuse("P-10", "a plugin to register no operator when it is loaded", "it uses " + some(registers),
           "take TORCH_LIBRARY and its like out of the plugin, and out of what it links");
  }

  if (facts.static_tls) {
    refuse("P-09", "no static thread-local storage", "the flag STATIC_TLS",
           "compile without -ftls-model=initial-exec, also what is linked in");
  }
  if (facts.text_relocations) {
    refuse("P-09", "no text relocations", "the flag TEXTREL", "compile everything with -fPIC");
  }
  if (facts.executable_stack) {
    refuse("P-09", "a stack that is not executable", "one that is",
           "link with -Wl,-z,noexecstack; assembly files need a .note.GNU-stack section");
  }
  const auto foreign = those(facts.run_paths, [&](const std::string& path) {
    return !run_path_allowed(path, plugin.tier);
  });
  if (!foreign.empty()) {
    std::vector<std::string> shown;
    for (const std::string& path : foreign) shown.push_back('"' + path + '"');
    refuse("P-09",
           plugin.tier == Tier::kPure ? "run paths that begin with $ORIGIN"
                                      : "run paths that begin with $ORIGIN or hold LibTorch",
           some(shown), "link without -rpath, or with -rpath '$ORIGIN'");
  }
  return refusals;
}

std::vector<Refusal> check_sealed(const PluginInfo& plugin, const SealedFile& file,
                                  const HostFacts& host) {
  std::vector<Refusal> refusals = check_metadata(plugin, host);
  if (file.world_writable()) {
    refusals.push_back({"P-21", plugin.file, "a file that only its owner and group may write",
                        "one that anybody may write",
                        "chmod o-w '" + plugin.file + "', once you know that nobody changed it"});
  }
  try {
    if (read_note(file.bytes()) != plugin.note) {
      refusals.push_back({"P-22", plugin.file, "the file that was listed before",
                          "another one: its metadata changed meanwhile",
                          "see who writes to this folder, then run again"});
    }
    const auto more = check_elf(plugin, read_elf(file.bytes()));
    refusals.insert(refusals.end(), more.begin(), more.end());
  } catch (const FormatError& error) {
    refusals.push_back({"P-02", plugin.file, error.expected, error.found,
                        "build the plugin anew; its file is damaged"});
  }
  return refusals;
}

std::vector<Refusal> check_file(const PluginInfo& plugin, const HostFacts& host) {
  return check_sealed(plugin, SealedFile(plugin.file), host);
}

std::vector<Refusal> check_folder(const std::string& folder) {
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0 || (status.st_mode & S_IWOTH) == 0) return {};
  return {{"P-21", folder, "a folder that only its owner and group may write",
           "one that anybody may write",
           "chmod o-w '" + folder + "', once you know that nobody put a plugin there"}};
}

}  // namespace attune
