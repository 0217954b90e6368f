// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace attune {

/// One option of a command.
struct OptionSpec {
  std::string name;      ///< "max-tokens", or "verbose,v" with a short form
  std::string argument;  ///< "N"; empty: a flag
  std::string help;
  bool repeats = false;
};

/// A positional argument. A "[NAME]" may be left out; "NAME...", the last one, may be several.
struct PositionalSpec {
  std::string name;
  std::string help;
};

/// What a command takes: the source of its help and of its parser.
struct CommandSpec {
  std::string name;  ///< "data inspect"
  std::string summary;
  std::string example;
  std::vector<PositionalSpec> positional;
  std::vector<OptionSpec> options;
};

/// The arguments of one call, by the names in the spec. Accessors throw ExitError(kUsage) naming
/// the option.
class Arguments {
 public:
  bool flag(const std::string& name) const { return values_.contains(name); }
  std::optional<std::string> text(const std::string& name) const;
  std::string text(const std::string& name, const std::string& otherwise) const {
    return text(name).value_or(otherwise);
  }
  std::vector<std::string> all(const std::string& name) const;
  int64_t integer(const std::string& name, int64_t otherwise, int64_t least = 0) const;
  double number(const std::string& name, double otherwise) const;
  bool help = false;

 private:
  friend Arguments parse_arguments(const CommandSpec&, const std::vector<std::string>&);
  std::map<std::string, std::vector<std::string>> values_;
};

/// Throws ExitError(kUsage) with the nearest option, or naming what is missing or too much.
Arguments parse_arguments(const CommandSpec& spec, const std::vector<std::string>& words);

/// Usage, options, example.
std::string help_text(const CommandSpec& spec);

}  // namespace attune
