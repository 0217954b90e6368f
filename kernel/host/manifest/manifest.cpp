// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/manifest/manifest.h"

#include <cctype>

#include "kernel/host/manifest/resolver.h"
#include "kernel/host/manifest/written.h"

namespace attune {
namespace {

// One step of "data.train[0].path"; null where there is none.
const Json* child(const Json& json, std::string_view name) {
  if (!json.is_object()) return nullptr;
  const std::string key(name);
  if (json.contains(key)) return &json[key];
  if (!json.contains("options") || !json["options"].is_object()) return nullptr;
  return json["options"].contains(key) ? &json["options"][key] : nullptr;
}

const Json* entry(const Json& json, std::string_view index) {
  size_t number = 0;
  for (const char c : index) {
    if (!std::isdigit(static_cast<unsigned char>(c)) || number > 1'000'000) return nullptr;
    number = number * 10 + static_cast<size_t>(c - '0');
  }
  return !index.empty() && json.is_array() && number < json.size() ? &json[number] : nullptr;
}

const Json* walk(const Json* json, std::string_view path) {
  while (json && !path.empty()) {
    if (path[0] == '[') {
      const size_t close = path.find(']');
      if (close == path.npos) return nullptr;
      json = entry(*json, path.substr(1, close - 1));
      path.remove_prefix(close + 1);
      if (path.starts_with('.')) path.remove_prefix(1);
      continue;
    }
    const size_t end = path.find_first_of(".[");
    json = child(*json, path.substr(0, end));
    if (end == path.npos) break;
    path.remove_prefix(path[end] == '.' ? end + 1 : end);
  }
  return json;
}

}  // namespace

Json Manifest::redacted() const {
  Json copy = resolved;
  for (const std::string& pointer : secrets) {
    const Json::json_pointer at(pointer);
    if (copy.contains(at)) copy[at] = "***";
  }
  return copy;
}

std::optional<Json> Manifest::value(std::string_view path) const {
  const Json all = redacted();
  const Json* found = walk(&all, path);
  return found ? std::optional<Json>(*found) : std::nullopt;
}

const Source* Manifest::source(std::string_view path) const {
  std::string written(path);
  auto found = sources.find(written);
  constexpr std::string_view kHop = ".options.";
  if (const size_t hop = written.find(kHop); found == sources.end() && hop != written.npos) {
    found = sources.find(written.replace(hop, kHop.size(), "."));
  }
  return found == sources.end() ? nullptr : &found->second;
}

Manifest load_manifest(const std::string& path, const ManifestOptions& options) {
  manifest::Report report;
  const manifest::Written written =
      manifest::read_manifest(path, options.sets, options.environment, report);
  const manifest::SourceText& text = written.texts.front();
  manifest::Checker checker(report, &options.catalogue, text.folder);
  manifest::Resolver resolver(written.root, checker);
  Json resolved = resolver.resolve({.text = &text, .line = 1, .column = 1});
  report.throw_if_any();
  return {.resolved = std::move(resolved),
          .sources = std::move(checker.sources()),
          .files = written.files,
          .secrets = checker.secrets()};
}

std::vector<std::string> manifest_plugin_paths(const std::string& path,
                                               const std::vector<std::string>& sets,
                                               const Environment& environment) {
  manifest::Report report;
  const manifest::Written written = manifest::read_manifest(path, sets, environment, report);
  std::vector<std::string> folders;
  const manifest::Member* list = written.root.find({"plugins", "path"});
  if (!list) return folders;
  for (const manifest::Node& item : list->value.items) {
    if (!item.is_string() || !item.place.text) continue;
    const auto folder = item.place.text->folder / item.scalar.get<std::string>();
    folders.push_back(folder.lexically_normal().string());
  }
  return folders;
}

}  // namespace attune
