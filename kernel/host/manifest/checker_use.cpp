// SPDX-License-Identifier: Apache-2.0
// Tables with `use`: which plugin is meant, and its options beside the manifest's own keys.
#include <algorithm>
#include <set>

#include "kernel/host/manifest/checker.h"
#include "kernel/host/manifest/manifest_schema.h"
#include "kernel/host/manifest/nearest.h"

namespace attune::manifest {
namespace {

constexpr size_t kMostPlaces = 3;

std::string full_name(const ProviderInfo& provider) {
  return provider.plugin_id + ":" + provider.name;
}

// Name first, then full name, each once.
std::vector<std::string> names_of(const std::vector<ProviderInfo>& providers, bool full) {
  std::vector<std::string> names;
  for (const ProviderInfo& provider : providers) {
    const std::string name = full ? full_name(provider) : provider.name;
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

}  // namespace

const std::vector<ProviderInfo>& Checker::providers(const std::string& kind) {
  const auto found = providers_.find(kind);
  if (found != providers_.end()) return found->second;
  return providers_[kind] = catalogue_ ? catalogue_->providers(kind) : std::vector<ProviderInfo>();
}

const ProviderInfo* Checker::provider(const OptionSchema& schema, const Member& use,
                                      const Scope& scope) {
  const auto name = use.value.scalar.get<std::string>();
  const auto& all = providers(schema.plugin);
  const bool full = name.find(':') != name.npos;
  std::vector<ProviderInfo> matches;
  for (const ProviderInfo& provider : all) {
    if ((full ? full_name(provider) : provider.name) == name) matches.push_back(provider);
  }
  if (matches.size() == 1) return &(used_[scope.path] = matches[0]);
  const std::string what = noun(schema.plugin);
  if (matches.size() > 1) {
    report_.add(use.value.place,
                {"two plugins provide the " + what + " `" + shown(use.value) + "`",
                 "which of them?", "write one of " + quoted(names_of(matches, true))});
    return nullptr;
  }
  const auto known = names_of(all, full);
  const std::string near = nearest(name, known);
  std::string cure = near.empty() ? "" : "did you mean `" + near + "`? ";
  cure += known.empty() ? "no plugin provides " + with_article(what) + "; see `attune plugins list`"
                        : "there is " + quoted(known);
  report_.add(use.value.place,
              {"no plugin provides the " + what + " `" + shown(use.value) + "`",
               "not among the plugins found", cure},
              Severity::kPluginMissing);
  return nullptr;
}

Json Checker::plugin_table(const OptionSchema& schema, const Node& node, const Scope& scope) {
  Json out = Json::object();
  std::vector<const OptionSchema*> known;
  for (const OptionSchema& own : schema.members) {
    known.push_back(&own);
    key(out, own, node, scope);
  }
  out["options"] = Json::object();
  const Member* use = node.find("use");
  const std::string name = node.text("use");
  if (name.empty()) {
    // Without a plugin its options are unknown. Where `use` may be left out, there are none.
    const bool optional = !find_option(schema.members, "use")->required;
    if (!scope.partial && optional && (!use || use->value.is_string()))
      unknown(out, known, node, scope);
    return out;
  }
  const ProviderInfo* found = provider(schema, *use, scope);
  if (!found) return out;

  Scope inner = scope;
  inner.pointer += "/options";
  inner.title = scope.title + " with use = \"" + name + "\"";
  for (const OptionSchema& option : found->options) {
    if (std::ranges::find(schema.supplied, option.name) != schema.supplied.end()) continue;
    if (find_option(schema.members, option.name)) {
      report_.add(use->value.place, {"the plugin `" + found->plugin_id + "` declares the option `" +
                                         option.name + "`",
                                     "that key of " + scope.title + " belongs to the host",
                                     "ask the plugin's author to rename it"});
      continue;
    }
    known.push_back(&option);
    if (option.name != "*") key(out["options"], option, node, inner);
  }
  unknown(out, known, node, inner);
  return out;
}

void Checker::find_elsewhere(std::vector<std::string>& found,
                             const std::vector<OptionSchema>& schemas, const std::string& section,
                             const std::string& key, const std::string& title) {
  for (const OptionSchema& schema : schemas) {
    const std::string inner = section.empty() ? schema.name : section + "." + schema.name;
    if (schema.members.empty() || schema.name == "stage") continue;
    const std::string here = title_of(schema, inner);
    if (here != title &&
        std::ranges::find(schema.members, key, &OptionSchema::name) != schema.members.end()) {
      found.push_back(here);
    }
    find_elsewhere(found, schema.members, inner, key, title);
  }
}

std::vector<std::string> Checker::elsewhere(const std::string& key, const std::string& title) {
  std::vector<std::string> found;
  if (!catalogue_) return found;
  if (title != "a manifest" && find_option(manifest_schema(), key))
    found.push_back("the top level");
  find_elsewhere(found, manifest_schema(), "", key, title);
  for (const OptionSchema& schema : manifest_schema()) {
    if (schema.plugin.empty()) continue;
    for (const ProviderInfo& provider : providers(schema.plugin)) {
      if (std::ranges::find(provider.options, key, &OptionSchema::name) == provider.options.end())
        continue;
      const std::string place =
          title_of(schema, schema.name) + " with use = \"" + provider.name + "\"";
      if (place != title) found.push_back(place);
    }
  }
  if (found.size() > kMostPlaces) found.resize(kMostPlaces);
  return found;
}

void Checker::check_reference(const std::string& text, const OptionSchema& schema, const Node& node,
                              const Scope& scope) {
  if (scope.partial) return;
  const size_t dot = text.find('.');
  const std::string name = text.substr(1, dot == text.npos ? text.npos : dot - 1);
  const std::string output = dot == text.npos ? "" : text.substr(dot + 1);
  if (!scope.stages) {
    report_.add(node.place,
                {"`" + shown(node) + "` names a stage, and this run has none", "expected a path",
                 "only a run of kind \"pipeline\" has stages; a file "
                 "of that name is ./" +
                     shown(node)});
    return;
  }
  const auto& names = scope.stages->names;
  const auto at = std::ranges::find(names, name, &StageName::name);
  const auto current = names.begin() + static_cast<std::ptrdiff_t>(scope.stages->current);
  std::vector<std::string> earlier;
  for (auto stage = names.begin(); stage != current; ++stage) earlier.push_back(stage->name);
  if (at >= current) {
    const std::string near = nearest(name, earlier);
    const std::string list =
        earlier.empty() ? "this is the first stage" : "earlier stages: " + quoted(earlier);
    report_.add(node.place,
                {"`" + shown(node) + "` names no earlier stage",
                 at == names.end() ? "there is no stage `" + name + "`"
                 : at == current   ? "`" + name + "` is this stage"
                                   : "`" + name + "` comes later",
                 near.empty() ? list : "did you mean `@" + near + "." + output + "`? " + list});
    return;
  }
  const std::string has = at->kind == "train"      ? "final"
                          : at->kind == "generate" ? "answers"
                          : at->kind == "evaluate" ? "results"
                                                   : output;
  if (output == has) return;
  report_.add(node.place, {"the stage `" + name + "` has no output `" + output + "`",
                           "`" + schema.name + "` cannot use it",
                           with_article(at->kind) + " stage gives `@" + name + "." + has + "`"});
}

}  // namespace attune::manifest
