// SPDX-License-Identifier: Apache-2.0
// ${NAME} in strings, for variables that [env] declares.
#include <map>

#include "kernel/host/manifest/nearest.h"
#include "kernel/host/manifest/written.h"

namespace attune::manifest {
namespace {

struct Variable {
  std::optional<std::string> value;  // nothing after a mistake that was reported
  bool secret = false;
};

using Variables = std::map<std::string, Variable>;

bool flag(const Node& table, std::string_view name, bool otherwise) {
  const Member* member = table.find(name);
  return member && member->value.type == Node::Type::kBool ? member->value.scalar.get<bool>()
                                                           : otherwise;
}

Variable read_variable(const Member& declared, const Environment& environment, Report& report) {
  const Node& table = declared.value;
  const Member* otherwise = table.find("default");
  Variable variable{.value = environment ? environment(declared.name) : std::nullopt,
                    .secret = flag(table, "secret", false)};
  const bool required = flag(table, "required", !otherwise);
  if (otherwise && required) {
    report.add(otherwise->key, {"a required variable has no default",
                                "`" + declared.name + "` has one", "take out one of the two"});
  }
  if (variable.value) return variable;
  if (otherwise && otherwise->value.is_string()) {
    variable.value = otherwise->value.scalar.get<std::string>();
  } else if (!required) {
    variable.value = "";
  } else {
    report.add(declared.key, {"the environment variable `" + declared.name + "` is not set",
                              "required here", "set it, or give it a default"});
  }
  return variable;
}

class Substitution {
 public:
  Substitution(const Variables& variables, Report& report)
      : variables_(variables), report_(report) {}

  void all(Node& node) {
    if (node.is_string()) text(node);
    for (Node& item : node.items) all(item);
    for (Member& member : node.members) all(member.value);
  }

 private:
  void text(Node& node) {
    const auto from = node.scalar.get<std::string>();
    if (from.find('$') == from.npos) return;
    std::string to;
    for (size_t at = 0; at < from.size();) {
      if (from[at] == '$' && at + 1 < from.size() && from[at + 1] == '$') {
        to += '$';
        at += 2;
      } else if (from[at] == '$' && at + 1 < from.size() && from[at + 1] == '{') {
        const size_t end = from.find('}', at);
        if (end == from.npos) {
          report_.add(
              place(node, from.substr(at)),
              {"`${` has no `}`", "", "write ${NAME}, or $${ for the characters themselves"});
          return;
        }
        to += value(node, from.substr(at + 2, end - at - 2));
        at = end + 1;
      } else {
        to += from[at++];
      }
    }
    node.scalar = to;
  }

  std::string value(Node& node, const std::string& name) {
    const auto found = variables_.find(name);
    if (found != variables_.end()) {
      node.secret |= found->second.secret;
      return found->second.value.value_or("");
    }
    std::vector<std::string> names;
    for (const auto& [known, variable] : variables_) names.push_back(known);
    const std::string near = nearest(name, names);
    report_.add(
        place(node, "${" + name + "}"),
        {"the variable `" + name + "` is not declared", "not in [env]",
         near.empty() ? "declare it: [env." + name + "]" : "did you mean `${" + near + "}`?"});
    return "";
  }

  // The place of `part` inside the string, where it stands in the string's first line.
  static Place place(const Node& node, const std::string& part) {
    Place place = node.place;
    if (!place.text || place.line < 1 || place.line > static_cast<int>(place.text->lines.size())) {
      return place;
    }
    const std::string& line = place.text->lines[static_cast<size_t>(place.line) - 1];
    const auto width = [](std::string_view text) {
      int count = 0;
      for (const char c : text) count += (c & 0xC0) != 0x80;
      return count;
    };
    for (size_t at = line.find(part); at != line.npos; at = line.find(part, at + 1)) {
      const int column = width(std::string_view(line).substr(0, at)) + 1;
      if (column < place.column) continue;
      place.column = column;
      place.length = width(part);
      break;
    }
    return place;
  }

  const Variables& variables_;
  Report& report_;
};

}  // namespace

void substitute(Node& root, const Environment& environment, Report& report) {
  Variables variables;
  if (const Member* declared = root.find("env")) {
    for (const Member& member : declared->value.members) {
      if (member.value.is_table()) {
        variables[member.name] = read_variable(member, environment, report);
      }
    }
  }
  Substitution substitution(variables, report);
  for (Member& member : root.members) {
    const bool kept = member.name == "env" || member.name.starts_with("x-");
    if (!kept) substitution.all(member.value);
  }
}

}  // namespace attune::manifest
