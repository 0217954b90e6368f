// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/host/json.h"

namespace toml {
inline namespace v3 {
class table;
}
}  // namespace toml

namespace attune {

/// What one option may be. Options of plugins and the manifest's own keys are declared in the same
/// form:
///
///     [beta]
///     type = "float"       # bool int count float string path enum list table
///     default = 0.1        # or required = true
///     above = 0.0          # min, max: inclusive; above, below: exclusive. In a list they bind the
///     items help = "How strongly the policy is held to the reference"
///
/// `choices` lists the words of an enum. `items` is the type of a list's items. A table, or a list
/// of tables, lists its keys as [name.members.key]; without them it may hold anything. A member
/// named "*" describes every key that no other member names.
struct OptionSchema {
  std::string name;
  std::string type;
  std::optional<Json> default_value;
  bool required = false;
  std::optional<double> min, max, above, below;
  std::vector<std::string> choices;
  std::string items;
  bool secret = false;  ///< the value reaches no log, lock or record
  std::string help;
  std::vector<OptionSchema> members;

  /// The manifest's own tables only: the kind of plugin that `use` names, whose options stand
  /// beside it.
  std::string plugin;
  /// The manifest's own tables only: options of that plugin which the host gives, and no manifest.
  std::vector<std::string> supplied;
  /// The manifest's own tables only: the kinds of run that read the table.
  std::vector<std::string> runs;
};

/// The options of a [provides.options] table, in the order of the file. Throws Error, naming the
/// option, where the declaration itself is wrong.
std::vector<OptionSchema> parse_option_schemas(const toml::table& options);

/// `given` with defaults filled in, for values that no manifest wrote. Throws Error listing every
/// mistake, with suggestions. Relative paths start at the current folder.
Json validate_options(const std::vector<OptionSchema>& schemas, const Json& given);

/// The option with this name; else the one named "*"; else null.
const OptionSchema* find_option(const std::vector<OptionSchema>& schemas, std::string_view name);

/// "float, default 0.1, above 0".
std::string describe_option(const OptionSchema& schema);

/// Aligned help: one line an option, members indented below.
std::string format_options(const std::vector<OptionSchema>& schemas);

}  // namespace attune
