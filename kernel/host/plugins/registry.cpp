// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/registry.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "kernel/host/manifest/nearest.h"
#include "kernel/host/plugins/sealed_file.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".attune.so";

std::string none_provides(std::string_view kind, std::string_view what) {
  return "no plugin provides " + std::string(kind) + std::string(what);
}

std::string listed(const std::vector<Provider>& providers) {
  std::vector<std::string> names;
  for (const Provider& provider : providers) names.push_back(provider.use());
  return join(names);
}

/// The strings of a list in a factory's metadata.
std::vector<std::string> strings(const Provided& factory, const char* key) {
  std::vector<std::string> found;
  const auto list = factory.metadata.find(key);
  if (list == factory.metadata.end() || !list->is_array()) return found;
  for (const Json& item : *list) {
    if (item.is_string()) found.push_back(item.get<std::string>());
  }
  return found;
}

bool same_bytes(const std::string& a, const std::string& b) {
  return SealedFile(a).sha256() == SealedFile(b).sha256();
}

/// "id:name" into id and name; the id is empty where there is none.
std::pair<std::string_view, std::string_view> split(std::string_view use) {
  const size_t colon = use.rfind(':');
  if (colon == use.npos) return {"", use};
  return {use.substr(0, colon), use.substr(colon + 1)};
}

bool matches(const PluginInfo& plugin, const Provided& factory, std::string_view use) {
  const auto [id, name] = split(use);
  return factory.name == name && (id.empty() || plugin.id == id);
}

}  // namespace

std::vector<SearchFolder> search_path(const SearchSettings& settings) {
  std::vector<SearchFolder> folders;
  for (const auto& path : settings.command_line) folders.push_back({path, "--plugin-path", true});
  for (const auto& path : settings.manifest) folders.push_back({path, "the manifest", true});
  for (size_t begin = 0; begin < settings.environment.size();) {
    const size_t end = std::min(settings.environment.find(':', begin), settings.environment.size());
    if (end > begin)
      folders.push_back({settings.environment.substr(begin, end - begin), "ATTUNE_PLUGIN_PATH"});
    begin = end + 1;
  }
  if (!settings.data_home.empty())
    folders.push_back({settings.data_home + "/attune/plugins", "user data"});
  if (!settings.executable_folder.empty()) {
    const auto prefix = fs::path(settings.executable_folder).parent_path();
    folders.push_back({(prefix / "lib" / "attune").string(), "the installation"});
  }
  return folders;
}

Registry::Registry(std::vector<SearchFolder> folders, HostFacts host)
    : folders_(std::move(folders)), host_(std::move(host)) {
  std::set<std::string> seen;
  for (const SearchFolder& folder : folders_) {
    std::error_code ignored;
    const auto real = fs::weakly_canonical(folder.path, ignored).string();
    if (seen.insert(real).second) scan(folder);
  }
  std::sort(plugins_.begin(), plugins_.end(),
            [](const auto& a, const auto& b) { return a->id < b->id; });
}

void Registry::scan(const SearchFolder& folder) {
  std::error_code error;
  if (!fs::is_directory(folder.path, error)) {
    if (!folder.required) return;
    throw ExitError(Exit::kPluginMissing,
                    "plugin folder " + folder.path + " (" + folder.origin +
                        "): expected a folder, found none; create it or do not name it");
  }
  if (auto refusals = check_folder(folder.path); !refusals.empty()) {
    refused_.push_back({folder.path, std::nullopt, std::move(refusals)});
    return;
  }
  std::vector<std::string> files;
  for (fs::directory_iterator entry(folder.path, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename().string().ends_with(kSuffix))
      files.push_back(entry->path().string());
  }
  if (error) {
    throw ExitError(Exit::kPluginMissing, "plugin folder " + folder.path + " (" + folder.origin +
                                              "): cannot be read: " + error.message());
  }
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) add(file);
}

void Registry::add(const std::string& file) {
  PluginInfo info;
  try {
    info = read_plugin(file);
  } catch (const Refused& refused) {
    refused_.push_back({file, std::nullopt, refused.refusals()});
    return;
  } catch (const Error& error) {
    refused_.push_back(
        {file,
         std::nullopt,
         {{"P-02", file, "a file that can be read", error.what(), "check its permissions"}}});
    return;
  }
  if (auto refusals = check_metadata(info, host_); !refusals.empty()) {
    refused_.push_back({file, std::move(info), std::move(refusals)});
    return;
  }
  const PluginInfo* other = find(info.id);
  if (!other) {
    plugins_.push_back(std::make_unique<const PluginInfo>(std::move(info)));
  } else if (other->version == info.version && !same_bytes(other->file, file)) {
    throw Refused({"P-20", file,
                   "one file of plugin " + info.id + " " + info.version,
                   "another one, with other bytes: " + other->file,
                   "remove one of them, or give it another version"});
  }
}

const PluginInfo* Registry::find(std::string_view id) const {
  const auto found = std::find_if(plugins_.begin(), plugins_.end(),
                                  [&](const auto& plugin) { return plugin->id == id; });
  return found == plugins_.end() ? nullptr : found->get();
}

std::vector<Provider> Registry::of_kind(std::string_view kind) const {
  std::vector<Provider> found;
  for (const auto& plugin : plugins_) {
    for (const Provided& factory : plugin->provides) {
      if (factory.kind == kind) found.push_back({plugin.get(), &factory});
    }
  }
  return found;
}

std::vector<ProviderInfo> Registry::providers(std::string_view kind) const {
  std::vector<ProviderInfo> found;
  for (const Provider& provider : of_kind(kind)) {
    found.push_back({.plugin_id = provider.plugin->id,
                     .name = provider.factory->name,
                     .version = provider.plugin->version,
                     .file = provider.plugin->file,
                     .options = provider.factory->options,
                     .metadata = provider.factory->metadata});
  }
  return found;
}

Provider Registry::resolve(std::string_view kind, std::string_view use) const {
  std::vector<Provider> found = of_kind(kind);
  std::erase_if(found, [&](const Provider& provider) {
    return !matches(*provider.plugin, *provider.factory, use);
  });
  if (found.empty()) missing(kind, use);
  if (found.size() > 1) ambiguous(std::string(kind) + " \"" + std::string(use) + "\"", found);
  return found[0];
}

Provider Registry::by_suffix(std::string_view kind, std::string_view path) const {
  std::vector<Provider> best;
  size_t longest = 0;
  std::set<std::string> known;
  for (const Provider& provider : of_kind(kind)) {
    for (const std::string& suffix : strings(*provider.factory, "suffixes")) {
      known.insert(suffix);
      if (suffix.size() < longest || !path.ends_with(suffix)) continue;
      if (suffix.size() > longest) best.clear();
      longest = suffix.size();
      best.push_back(provider);
    }
  }
  if (best.size() > 1) ambiguous(std::string(kind) + " for " + std::string(path), best);
  if (!best.empty()) return best[0];
  const std::vector<std::string> suffixes(known.begin(), known.end());
  throw ExitError(Exit::kPluginMissing,
                  none_provides(kind, " for the suffix of ") + std::string(path) +
                      "; known suffixes: " + (suffixes.empty() ? "none" : join(suffixes)) +
                      searched(refused_for(kind, "")));
}

Provider Registry::by_architecture(std::string_view kind, std::string_view architecture) const {
  std::vector<Provider> found;
  std::vector<std::string> known;
  for (const Provider& provider : of_kind(kind)) {
    const auto names = strings(*provider.factory, "architectures");
    known.insert(known.end(), names.begin(), names.end());
    if (std::find(names.begin(), names.end(), architecture) != names.end())
      found.push_back(provider);
  }
  if (found.size() > 1)
    ambiguous(std::string(kind) + " for architecture " + std::string(architecture), found);
  if (!found.empty()) return found[0];
  const std::string near = nearest(architecture, known);
  throw ExitError(Exit::kPluginMissing,
                  none_provides(kind, " for the architecture \"") + std::string(architecture) +
                      "\"" + (near.empty() ? "" : " (nearest: \"" + near + "\")") +
                      "; known architectures: " + (known.empty() ? "none" : join(known)) +
                      searched(refused_for(kind, "")));
}

Provider Registry::only(std::string_view kind) const {
  const auto found = of_kind(kind);
  if (found.size() > 1) ambiguous(kind, found);
  if (!found.empty()) return found[0];
  throw ExitError(Exit::kPluginMissing, none_provides(kind, "") + searched(refused_for(kind, "")));
}

std::vector<const Registry::RefusedFile*> Registry::refused_for(std::string_view kind,
                                                                std::string_view use) const {
  std::vector<const RefusedFile*> found;
  const auto [id, name] = split(use);
  for (const RefusedFile& refused : refused_) {
    // Without a note nobody knows what the file provides; its name, or its folder, may be what was
    // asked for.
    bool fits = use.empty() || !fs::path(refused.file).filename().string().ends_with(kSuffix) ||
                (!refused.info &&
                 fs::path(refused.file).filename() == std::string(name) + std::string(kSuffix));
    if (refused.info) {
      const auto& provides = refused.info->provides;
      fits = std::any_of(provides.begin(), provides.end(), [&](const Provided& factory) {
        return factory.kind == kind && (use.empty() || matches(*refused.info, factory, use));
      });
    }
    if (fits) found.push_back(&refused);
  }
  return found;
}

std::string Registry::searched(const std::vector<const RefusedFile*>& refused) const {
  std::string text = "\n  searched:";
  if (folders_.empty()) text += " no folder";
  for (const SearchFolder& folder : folders_) {
    std::error_code ignored;
    text += "\n    " + folder.path + " (" + folder.origin +
            (fs::is_directory(folder.path, ignored) ? ")" : ", not there)");
  }
  if (!refused.empty()) text += "\n  refused:";
  for (const RefusedFile* file : refused) {
    for (const Refusal& refusal : file->refusals) text += "\n    " + refusal.text();
  }
  return text;
}

void Registry::missing(std::string_view kind, std::string_view use) const {
  const auto all = of_kind(kind);
  const bool with_id = use.find(':') != use.npos;
  std::vector<std::string> names;
  for (const Provider& provider : all)
    names.push_back(with_id ? provider.use() : provider.factory->name);
  const std::string near = nearest(use, names);
  std::string text = none_provides(kind, " \"") + std::string(use) + "\"";
  if (!near.empty()) text += "; did you mean \"" + near + "\"?";
  text += "\n  there is: " + (all.empty() ? "nothing of this kind" : listed(all));
  const auto refused = refused_for(kind, use);
  text += searched(refused);
  if (refused.empty())
    text +=
        "\n  put the plugin's file into one of these folders, or name its folder with "
        "--plugin-path";
  throw ExitError(Exit::kPluginMissing, text);
}

void Registry::ambiguous(std::string_view what, const std::vector<Provider>& found) const {
  throw ExitError(Exit::kPluginMissing, std::string(what) + ": expected one provider, found " +
                                            std::to_string(found.size()) + ": " + listed(found) +
                                            "; write the one you mean in full");
}

}  // namespace attune
