// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/report.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <sstream>

#include "kernel/host/manifest/nearest.h"
#include "kernel/host/manifest/option_schema.h"
#include "kernel/host/plugins/sealed_file.h"
#include "kernel/host/services/digest.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

using Row = std::array<std::string, 6>;

/// Rows with a heading, columns two spaces apart.
std::string table(const std::vector<Row>& rows) {
  std::array<size_t, 6> width{};
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(width[i] - row[i].size() + 2, ' ');
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

std::vector<Row> rows(const Registry& registry) {
  std::vector<Row> rows;
  for (const auto& plugin : registry.plugins()) {
    for (const Provided& factory : plugin->provides) {
      rows.push_back({factory.kind, factory.name, plugin->id, plugin->version,
                      std::string(name_of(plugin->tier)), factory.summary});
    }
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::string none_or(const std::vector<std::string>& words) {
  return words.empty() ? "none" : join(words);
}

/// Why the file is of the tier that it claims.
std::string tier_proof(const Inspection& inspection) {
  if (!inspection.facts) return "cannot be told: the file is damaged";
  std::vector<std::string> libraries;
  std::copy_if(inspection.facts->needed.begin(), inspection.facts->needed.end(),
               std::back_inserter(libraries), is_torch_library);
  const auto symbols = std::count_if(inspection.facts->undefined.begin(),
                                     inspection.facts->undefined.end(), needs_torch_symbol);
  if (libraries.empty() && symbols == 0) return "needs no library and no symbol of LibTorch";
  return "needs " + (libraries.empty() ? "no library" : join(libraries)) + " and " +
         std::to_string(symbols) + " symbols of LibTorch";
}

std::string fingerprint_verdict(const PluginInfo& info, const HostFacts& host) {
  if (info.tier == Tier::kPure) return "none, the pure tier has no need of it";
  if (info.fingerprint == host.fingerprint) return info.fingerprint + " (equal to this host's)";
  return info.fingerprint + "\n                differs from this host's: " +
         join(fingerprint_differences(host.fingerprint, info.fingerprint), "; ");
}

/// Option schemas as the report's own JSON: what a document or an editor needs.
Json options_json(const std::vector<OptionSchema>& options) {
  Json all = Json::array();
  for (const OptionSchema& option : options) {
    Json one = {{"name", option.name},
                {"type", option.type},
                {"required", option.required},
                {"help", option.help}};
    if (option.default_value) one["default"] = *option.default_value;
    if (option.min) one["min"] = *option.min;
    if (option.max) one["max"] = *option.max;
    if (option.above) one["above"] = *option.above;
    if (option.below) one["below"] = *option.below;
    if (!option.choices.empty()) one["choices"] = option.choices;
    if (!option.items.empty()) one["items"] = option.items;
    if (option.secret) one["secret"] = true;
    if (!option.members.empty()) one["members"] = options_json(option.members);
    all.push_back(std::move(one));
  }
  return all;
}

Json factory_json(const Provided& factory) {
  Json json = {{"kind", factory.kind},
               {"name", factory.name},
               {"summary", factory.summary},
               {"options", options_json(factory.options)}};
  for (const auto& [key, value] : factory.metadata.items()) {
    if (!json.contains(key)) json[key] = value;
  }
  return json;
}

std::string factory_text(const Provided& factory) {
  std::string text = "\n" + factory.kind + " \"" + factory.name + "\": " + factory.summary + "\n";
  for (const auto& [key, value] : factory.metadata.items()) {
    if (key == "kind" || key == "name" || key == "summary" || key == "options") continue;
    text += "  " + key + " = " + value.dump() + "\n";
  }
  if (factory.options.empty()) return text + "  no options\n";
  text += "  options:\n";
  std::istringstream lines(format_options(factory.options));
  for (std::string line; std::getline(lines, line);)
    text += (line.empty() ? "" : "    " + line) + "\n";
  return text;
}

Json refusals_json(const std::vector<Refusal>& refusals) {
  Json all = Json::array();
  for (const Refusal& refusal : refusals) all.push_back(refusal.json());
  return all;
}

/// The file that `target` means; empty where nobody knows it.
std::string file_of(const Registry& registry, const std::string& target) {
  if (const PluginInfo* plugin = registry.find(target)) return plugin->file;
  for (const auto& refused : registry.refused()) {
    if (refused.info && refused.info->id == target) return refused.file;
  }
  std::error_code ignored;
  if (fs::is_regular_file(target, ignored)) return target;
  std::set<std::string> files;
  for (const auto& plugin : registry.plugins()) {
    for (const Provided& factory : plugin->provides) {
      if (factory.name == target || plugin->id + ":" + factory.name == target)
        files.insert(plugin->file);
    }
  }
  return files.size() == 1 ? *files.begin() : "";
}

}  // namespace

std::string list_text(const Registry& registry) {
  std::vector<Row> all = rows(registry);
  std::string text;
  if (all.empty()) {
    text = "no plugins\n";
    for (const SearchFolder& folder : registry.folders())
      text += "  searched " + folder.path + " (" + folder.origin + ")\n";
  } else {
    all.insert(all.begin(), Row{"KIND", "NAME", "PLUGIN", "VERSION", "TIER", "SUMMARY"});
    text = table(all);
  }
  if (!registry.refused().empty()) text += "\nrefused:\n";
  for (const auto& refused : registry.refused()) {
    for (const Refusal& refusal : refused.refusals) text += refusal.text() + "\n";
  }
  return text;
}

Json list_json(const Registry& registry) {
  Json json = {{"plugins", Json::array()}, {"refused", Json::array()}, {"folders", Json::array()}};
  for (const Row& row : rows(registry)) {
    json["plugins"].push_back({{"kind", row[0]},
                               {"name", row[1]},
                               {"plugin", row[2]},
                               {"version", row[3]},
                               {"tier", row[4]},
                               {"summary", row[5]}});
  }
  for (const auto& refused : registry.refused()) {
    for (Json& refusal : refusals_json(refused.refusals))
      json["refused"].push_back(std::move(refusal));
  }
  for (const SearchFolder& folder : registry.folders()) {
    json["folders"].push_back({{"path", folder.path}, {"origin", folder.origin}});
  }
  return json;
}

Inspection inspect(const Registry& registry, const std::string& target) {
  Inspection found{.file = file_of(registry, target),
                   .info = {},
                   .facts = {},
                   .refusals = {},
                   .host = registry.host()};
  if (found.file.empty()) {
    std::vector<std::string> ids;
    for (const auto& plugin : registry.plugins()) ids.push_back(plugin->id);
    const std::string near = nearest(target, ids);
    throw ExitError(Exit::kPluginMissing,
                    "\"" + target + "\": expected a file or the id of a plugin, found neither" +
                        (near.empty() ? "" : "; did you mean \"" + near + "\"?") +
                        "; `attune plugins list` shows what there is");
  }
  const std::string folder = fs::absolute(found.file).parent_path().string();
  found.refusals = check_folder(folder);
  const auto also = [&](const std::vector<Refusal>& more) {
    found.refusals.insert(found.refusals.end(), more.begin(), more.end());
  };
  try {
    found.info = read_plugin(found.file);
    also(check_file(*found.info, found.host));
  } catch (const Refused& refused) {
    also(refused.refusals());
  }
  try {
    found.facts = read_elf(SealedFile(found.file).bytes());
  } catch (const FormatError&) {
    // The refusals say so already.
  }
  return found;
}

std::string inspect_text(const Inspection& inspection) {
  std::string text;
  const auto line = [&](std::string name, const std::string& value) {
    name.resize(14, ' ');
    text += "  " + name + value + "\n";
  };
  if (inspection.info) {
    const PluginInfo& info = *inspection.info;
    text += info.id + " " + info.version + ": " + info.summary + "\n";
    line("file", inspection.file + ", " + std::to_string(info.size) + " bytes");
    line("sha256", sha256_file(inspection.file));
    line("license", info.license);
    line("tier", std::string(name_of(info.tier)) + ": " + tier_proof(inspection));
    line("abi", std::to_string(info.abi_major) + "." + std::to_string(info.abi_minor) +
                    " (this host has " + std::to_string(inspection.host.abi_major) + "." +
                    std::to_string(inspection.host.abi_minor) + ")");
    line("fingerprint", fingerprint_verdict(info, inspection.host));
    line("compiler", info.compiler.empty() ? "unknown" : info.compiler);
  } else {
    text += inspection.file + "\n";
  }
  if (inspection.facts) {
    line("needs", none_or(inspection.facts->needed));
    line("run paths", none_or(inspection.facts->run_paths));
    line("exports", none_or(inspection.facts->defined));
  }
  if (inspection.info) {
    for (const Provided& factory : inspection.info->provides) text += factory_text(factory);
  }
  text += inspection.refusals.empty() ? "\nThis host would load it.\n"
                                      : "\nThis host would not load it:\n";
  for (const Refusal& refusal : inspection.refusals) text += refusal.text() + "\n";
  return text;
}

Json inspect_json(const Inspection& inspection) {
  Json json = {{"file", inspection.file}};
  if (inspection.info) {
    const PluginInfo& info = *inspection.info;
    json["id"] = info.id;
    json["version"] = info.version;
    json["license"] = info.license;
    json["summary"] = info.summary;
    json["tier"] = name_of(info.tier);
    json["tier_proof"] = tier_proof(inspection);
    json["size"] = info.size;
    json["sha256"] = sha256_file(inspection.file);
    json["abi"] = std::to_string(info.abi_major) + "." + std::to_string(info.abi_minor);
    json["fingerprint"] = info.fingerprint;
    json["fingerprint_differences"] =
        info.tier == Tier::kTorch
            ? fingerprint_differences(inspection.host.fingerprint, info.fingerprint)
            : std::vector<std::string>();
    json["compiler"] = info.compiler;
    json["provides"] = Json::array();
    for (const Provided& factory : info.provides) json["provides"].push_back(factory_json(factory));
  }
  if (inspection.facts) {
    json["machine"] = inspection.facts->machine;
    json["needs"] = inspection.facts->needed;
    json["run_paths"] = inspection.facts->run_paths;
    json["exports"] = inspection.facts->defined;
  }
  json["loadable"] = inspection.refusals.empty();
  json["refusals"] = refusals_json(inspection.refusals);
  return json;
}

}  // namespace attune
