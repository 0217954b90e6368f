// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/host/manifest/catalogue.h"
#include "kernel/host/manifest/node.h"
#include "kernel/host/manifest/option_schema.h"
#include "kernel/host/manifest/provenance.h"
#include "kernel/host/manifest/report.h"

namespace attune::manifest {

struct StageName {
  std::string name;
  std::string kind;
};

/// The stages around a value: what "@name.output" may mean there.
struct Stages {
  std::vector<StageName> names;  ///< in the order of the file
  size_t current = 0;            ///< those before it may be named
};

/// The table that is being checked, as messages, sources and JSON pointers name it.
struct Scope {
  std::string title;     ///< "[optimizer]"
  std::string parent;    ///< title of the table around it
  std::string section;   ///< "train.checkpoint": the title without brackets
  std::string path;      ///< as the manifest writes it: "stage[0].algorithm"
  std::string pointer;   ///< in the resolved JSON: "/stage/0/algorithm/options"
  Place place;           ///< where a missing key is reported
  bool partial = false;  ///< defaults of a pipeline: required keys may come from a stage
  const Stages* stages = nullptr;
};

/// Checks trees against schemas, and fills in defaults. Mistakes go to the report; what is returned
/// beside a mistake is incomplete.
class Checker {
 public:
  /// Without a catalogue, no table may name a plugin. `folder` is where relative default paths
  /// start; where it is empty, paths stay as they are.
  Checker(Report& report, const Catalogue* catalogue, std::filesystem::path folder)
      : report_(report), catalogue_(catalogue), folder_(std::move(folder)) {}

  /// A whole table: values, defaults, missing and unknown keys.
  Json table(const std::vector<OptionSchema>& schemas, const Node& node, const Scope& scope);
  /// One key of a table, into `out`.
  void key(Json& out, const OptionSchema& schema, const Node& table, const Scope& scope);
  /// Reports the keys that no schema names; keeps tables named x-* in `out`.
  void unknown(Json& out, const std::vector<const OptionSchema*>& known, const Node& node,
               const Scope& scope);

  /// Who provides what a table at this path uses.
  const ProviderInfo* used(const std::string& path) const;
  /// The factories of a kind that the catalogue knows.
  const std::vector<ProviderInfo>& providers(const std::string& kind);
  Sources& sources() { return sources_; }
  /// JSON pointers of values that reach no log.
  const std::vector<std::string>& secrets() const { return secrets_; }
  void hide(const std::string& pointer) { secrets_.push_back(pointer); }
  Report& report() { return report_; }

 private:
  Json value(const OptionSchema& schema, const Node& node, const Scope& scope);
  Json list(const OptionSchema& schema, const Node& node, const Scope& scope);
  Json free_form(const Node& node, const Scope& scope, bool secret);
  Json path(const OptionSchema& schema, const Node& node, const Scope& scope);
  Json default_of(const OptionSchema& schema, const Json& given) const;
  void missing(const OptionSchema& schema, const Scope& scope);
  void record(const Node& node, const Scope& scope, bool secret);
  void record_default(const OptionSchema& schema, const Scope& scope);
  void check_reference(const std::string& text, const OptionSchema& schema, const Node& node,
                       const Scope& scope);

  // Tables with `use`: checker_use.cpp.
  Json plugin_table(const OptionSchema& schema, const Node& node, const Scope& scope);
  const ProviderInfo* provider(const OptionSchema& schema, const Member& use, const Scope& scope);
  std::vector<std::string> elsewhere(const std::string& key, const std::string& title);
  void find_elsewhere(std::vector<std::string>& found, const std::vector<OptionSchema>& schemas,
                      const std::string& section, const std::string& key, const std::string& title);

  Report& report_;
  const Catalogue* catalogue_;
  std::filesystem::path folder_;
  std::map<std::string, std::vector<ProviderInfo>> providers_;
  std::map<std::string, ProviderInfo> used_;
  Sources sources_;
  std::vector<std::string> secrets_;
};

/// A scalar (bool, int, float, string, path, enum) as JSON; null after a mistake.
Json check_scalar(const OptionSchema& schema, const Node& node, Report& report);

/// The default as a value of the schema's type. Throws Error where it is none.
Json checked_default(const OptionSchema& schema);

/// The schema of a list's items.
OptionSchema item_schema(const OptionSchema& list);

/// "[a.b]", or "[[a.b]]" for a list of tables.
std::string title_of(const OptionSchema& schema, const std::string& section);

/// "did you mean `x`? (float, required)", or empty.
std::string suggestion(const std::string& word, const std::vector<const OptionSchema*>& known);

/// The string for a message: "***" where it is secret.
std::string shown(const Node& text);

/// Each name in backquotes, with commas.
std::string quoted(const std::vector<std::string>& names);

/// "algorithm/1" -> "algorithm".
std::string noun(std::string_view kind);

/// "a " or "an " and the word.
std::string with_article(const std::string& word);

}  // namespace attune::manifest
