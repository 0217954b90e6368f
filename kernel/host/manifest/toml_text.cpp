// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/manifest/toml_text.h"

#include <algorithm>

#include "kernel/host/manifest/toml_library.h"

// The only file of the manifest that compiles the TOML library.

namespace attune::manifest {
namespace {

struct Origin {
  const SourceText* text;
  int shift;
};

Place place_of(const toml::source_region& region, const Origin& origin) {
  Place place{.text = origin.text,
              .line = static_cast<int>(region.begin.line),
              .column = static_cast<int>(region.begin.column) + origin.shift};
  if (region.end.line == region.begin.line) {
    place.length = static_cast<int>(region.end.column) - static_cast<int>(region.begin.column);
  } else if (origin.text && place.line >= 1 &&
             place.line <= static_cast<int>(origin.text->lines.size())) {
    const std::string& line = origin.text->lines[static_cast<size_t>(place.line) - 1];
    const auto characters = std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; });
    place.length = static_cast<int>(characters) - place.column + 1;
  }
  return place;
}

Node convert(const toml::node& from, const Origin& origin);

Node convert_table(const toml::table& table, const Origin& origin) {
  Node node;
  for (const auto& [key, value] : table) {
    Member member{std::string(key.str()), place_of(key.source(), origin), convert(value, origin)};
    // [a.b] before [a]: the key was first seen in [a.b], but [a] is where the table is written.
    if (member.value.is_table() && member.value.place.line > member.key.line) {
      member.key = member.value.place;
    }
    node.members.push_back(std::move(member));
  }
  std::ranges::stable_sort(node.members, {}, [](const Member& member) {
    return std::pair(member.key.line, member.key.column);
  });
  return node;
}

Node convert(const toml::node& from, const Origin& origin) {
  Node node;
  if (const auto* table = from.as_table()) {
    node = convert_table(*table, origin);
  } else if (const auto* list = from.as_array()) {
    node.type = Node::Type::kList;
    for (const toml::node& item : *list) node.items.push_back(convert(item, origin));
  } else if (const auto* text = from.as_string()) {
    node.type = Node::Type::kString;
    node.scalar = text->get();
  } else if (const auto* integer = from.as_integer()) {
    node.type = Node::Type::kInt;
    node.scalar = integer->get();
  } else if (const auto* number = from.as_floating_point()) {
    node.type = Node::Type::kFloat;
    node.scalar = number->get();
  } else if (const auto* flag = from.as_boolean()) {
    node.type = Node::Type::kBool;
    node.scalar = flag->get();
  } else {
    node.type = Node::Type::kDate;
  }
  node.place = place_of(from.source(), origin);
  return node;
}

// "Error while parsing value: could not ..." -> "could not ..."
std::string reason(std::string_view description) {
  const size_t colon = description.find(": ");
  if (description.starts_with("Error while") && colon != description.npos) {
    description.remove_prefix(colon + 2);
  }
  return std::string(description);
}

bool is_open_string(const std::string& what) {
  return what.find("control characters") != what.npos;
}

std::string cure_of(const std::string& what) {
  if (what == "could not determine value type") {
    return "a string needs quotes; true and false are lower case";
  }
  if (what.starts_with("cannot redefine")) return "write each key once";
  return is_open_string(what) ? "close the quotes on the same line" : "";
}

}  // namespace

Node parse_toml(std::string_view text, const SourceText* source, int shift) {
  try {
    return convert(toml::parse(text), {source, shift});
  } catch (const toml::parse_error& error) {
    throw SyntaxError{.line = static_cast<int>(error.source().begin.line),
                      .column = static_cast<int>(error.source().begin.column) + shift,
                      .what = reason(error.description())};
  }
}

std::optional<Node> parse_toml(std::string_view text, const SourceText& source, Report& report) {
  try {
    return parse_toml(text, &source);
  } catch (const SyntaxError& error) {
    Words words{.message = "this is not TOML", .label = error.what, .cure = cure_of(error.what)};
    if (is_open_string(error.what)) words.label = "the string does not end";
    report.add({.text = &source, .line = error.line, .column = error.column}, words);
    return std::nullopt;
  }
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string line(text.substr(0, end));
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back(std::move(line));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return lines;
}

}  // namespace attune::manifest

namespace attune {

std::vector<OptionSchema> parse_option_schemas(const toml::table& options) {
  return manifest::read_schemas(manifest::convert_table(options, {nullptr, 0}));
}

}  // namespace attune
