// SPDX-License-Identifier: Apache-2.0
#include "abi/header.h"

#include <regex>

namespace attune::testing {
namespace {

std::string without_comments(const std::string& text) {
  std::string made;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = text.find("/*", at);
    made += text.substr(at, begin - at);
    if (begin == text.npos) break;
    at = text.find("*/", begin) + 2;
  }
  return made;
}

std::string squeezed(const std::string& text) {
  std::string made = std::regex_replace(text, std::regex("\\s+"), " ");
  made.erase(0, made.find_first_not_of(' '));
  made.erase(made.find_last_not_of(' ') + 1);
  return made;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(at, begin), text.size());
    if (const std::string part = squeezed(text.substr(begin, end - begin)); !part.empty()) parts.push_back(part);
    begin = end + 1;
  }
  return parts;
}

/// The text between the brace at or after `from` and its fellow.
std::string braces(const std::string& text, size_t from) {
  const size_t begin = text.find('{', from);
  return text.substr(begin + 1, text.find('}', begin) - begin - 1);
}

/// "int a, b;" declares two members.
void add_members(std::vector<std::string>& members, const std::string& declaration) {
  if (declaration.find('(') != declaration.npos) return members.push_back(declaration);
  const auto names = split(declaration, ',');
  members.push_back(names[0]);
  const std::string type = names[0].substr(0, names[0].find_last_of(" *") + 1);
  for (size_t i = 1; i < names.size(); ++i) members.push_back(type + names[i]);
}

bool grows(const std::vector<std::string>& members) { return !members.empty() && members[0] == "uint32_t size"; }

}  // namespace

Header read_header(std::string text) {
  text = without_comments(text);
  Header header;
  const std::regex structs("struct (attune_\\w+) \\{");
  for (std::sregex_iterator found(text.begin(), text.end(), structs), end; found != end; ++found) {
    auto& members = header.structs[(*found)[1]];
    for (const std::string& declaration : split(braces(text, static_cast<size_t>(found->position())), ';'))
      add_members(members, declaration);
  }
  const std::regex enums("enum \\{");
  for (std::sregex_iterator found(text.begin(), text.end(), enums), end; found != end; ++found) {
    for (const std::string& constant : split(braces(text, static_cast<size_t>(found->position())), ',')) {
      const size_t equals = constant.find(" = ");
      header.constants[constant.substr(0, equals)] = equals == constant.npos ? "" : constant.substr(equals + 3);
    }
  }
  return header;
}

std::vector<std::string> broken_promises(const Header& before, const Header& now) {
  std::vector<std::string> broken;
  for (const auto& [name, members] : before.structs) {
    const auto found = now.structs.find(name);
    if (found == now.structs.end()) {
      broken.push_back(name + ": is gone");
      continue;
    }
    for (size_t i = 0; i < members.size(); ++i) {
      const std::string is = i < found->second.size() ? found->second[i] : "nothing";
      if (is == members[i]) continue;
      broken.push_back(name + ": member " + std::to_string(i) + " was `" + members[i] + "`, is `" + is + "`");
      break;
    }
    if (!grows(members) && found->second.size() > members.size())
      broken.push_back(name + ": is frozen, and has the new member `" + found->second[members.size()] + "`");
  }
  for (const auto& [name, value] : before.constants) {
    const auto found = now.constants.find(name);
    if (found == now.constants.end()) {
      broken.push_back(name + ": is gone");
    } else if (found->second != value) {
      broken.push_back(name + ": was " + value + ", is " + found->second);
    }
  }
  return broken;
}

}  // namespace attune::testing
