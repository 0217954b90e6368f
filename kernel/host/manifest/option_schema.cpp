// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/manifest/option_schema.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernel/host/manifest/checker.h"
#include "kernel/host/manifest/nearest.h"
#include "kernel/host/manifest/toml_text.h"

namespace attune {
namespace manifest {
namespace {

constexpr std::array kTypes = {"bool", "int", "count", "float", "string", "path", "enum", "list", "table"};
const std::vector<std::string> kKeys = {"type",  "default", "required", "min",      "max",
                                        "above", "below",   "choices",  "items",    "secret",
                                        "help",  "members", "plugin",   "supplied", "runs"};

[[noreturn]] void fail(const std::string& option, const std::string& what) {
  throw Error("option `" + option + "`: " + what);
}

bool is_type(std::string_view type) { return std::ranges::find(kTypes, type) != kTypes.end(); }

std::string word(const std::string& option, const Member& member) {
  if (!member.value.is_string()) {
    fail(option,
         "`" + member.name + "` takes a string, not " + std::string(describe(member.value.type)));
  }
  return member.value.scalar.get<std::string>();
}

bool flag(const std::string& option, const Member& member) {
  if (member.value.type != Node::Type::kBool) fail(option, "`" + member.name + "` takes a bool");
  return member.value.scalar.get<bool>();
}

double number(const std::string& option, const Member& member) {
  if (!member.value.scalar.is_number()) fail(option, "`" + member.name + "` takes a number");
  return member.value.scalar.get<double>();
}

std::vector<std::string> words(const std::string& option, const Member& member) {
  std::vector<std::string> found;
  for (const Node& item : member.value.items) {
    if (!item.is_string()) fail(option, "`" + member.name + "` takes a list of strings");
    found.push_back(item.scalar.get<std::string>());
  }
  if (found.empty()) fail(option, "`" + member.name + "` takes a list of strings");
  return found;
}

void read_key(OptionSchema& schema, const std::string& option, const Member& member) {
  const std::string& key = member.name;
  if (key == "type")
    schema.type = word(option, member);
  else if (key == "default")
    schema.default_value = to_json(member.value);
  else if (key == "required")
    schema.required = flag(option, member);
  else if (key == "min")
    schema.min = number(option, member);
  else if (key == "max")
    schema.max = number(option, member);
  else if (key == "above")
    schema.above = number(option, member);
  else if (key == "below")
    schema.below = number(option, member);
  else if (key == "choices")
    schema.choices = words(option, member);
  else if (key == "items")
    schema.items = word(option, member);
  else if (key == "secret")
    schema.secret = flag(option, member);
  else if (key == "help")
    schema.help = word(option, member);
  else if (key == "plugin")
    schema.plugin = word(option, member);
  else if (key == "supplied")
    schema.supplied = words(option, member);
  else if (key == "runs")
    schema.runs = words(option, member);
  else if (key != "members") {
    const std::string near = nearest(key, kKeys);
    fail(option, "unknown key `" + key + "`; " +
                     (near.empty() ? "known are " + join(kKeys) : "did you mean `" + near + "`?"));
  }
}

void check_consistency(const OptionSchema& schema, const std::string& option) {
  const std::vector<std::string> types(kTypes.begin(), kTypes.end());
  if (!is_type(schema.type)) {
    fail(option, schema.type.empty()
                     ? "`type` is missing; it is one of " + join(types)
                     : "unknown type `" + schema.type + "`; known are " + join(types));
  }
  if (schema.help.empty()) fail(option, "`help` is missing; say in one sentence what it does");
  if (schema.required && schema.default_value) fail(option, "required, so a default is never used");
  const std::string& scalar = schema.type == "list" ? schema.items : schema.type;
  if (schema.type == "list" && (!is_type(scalar) || scalar == "list")) {
    fail(option,
         "a list says in `items` what it holds: bool, int, count, float, string, path, enum or table");
  }
  if (schema.type != "list" && !schema.items.empty()) fail(option, "only a list has `items`");
  if ((scalar == "enum") == schema.choices.empty()) {
    fail(option, scalar == "enum" ? "an enum lists its `choices`" : "only an enum has `choices`");
  }
  const bool bounded = schema.min || schema.max || schema.above || schema.below;
  if (bounded && scalar != "int" && scalar != "float") fail(option, "only a number has bounds");
  if (scalar != "table" && !schema.members.empty()) fail(option, "only a table has `members`");
}

OptionSchema read_schema(const Member& declared, const std::string& prefix) {
  const std::string option = prefix + declared.name;
  if (!declared.value.is_table()) fail(option, "declared by a table: type = ..., help = ...");
  OptionSchema schema{.name = declared.name};
  for (const Member& member : declared.value.members) {
    read_key(schema, option, member);
    if (member.name != "members") continue;
    if (!member.value.is_table()) fail(option, "`members` is a table of options");
    for (const Member& inner : member.value.members) {
      schema.members.push_back(read_schema(inner, option + "."));
    }
  }
  check_consistency(schema, option);
  if (schema.default_value) {
    try {
      schema.default_value = checked_default(schema);
    } catch (const Error& error) {
      fail(option, std::string("its default is refused: ") + error.what());
    }
  }
  return schema;
}

}  // namespace

std::vector<OptionSchema> read_schemas(const Node& options) {
  std::vector<OptionSchema> schemas;
  for (const Member& member : options.members) schemas.push_back(read_schema(member, ""));
  return schemas;
}

}  // namespace manifest

const OptionSchema* find_option(const std::vector<OptionSchema>& schemas, std::string_view name) {
  const auto named = std::ranges::find(schemas, name, &OptionSchema::name);
  if (named != schemas.end()) return &*named;
  const auto any = std::ranges::find(schemas, "*", &OptionSchema::name);
  return any == schemas.end() ? nullptr : &*any;
}

namespace {

// The columns grow with their longest text, up to this.
constexpr size_t kNameWidth = 24;
constexpr size_t kTypeWidth = 44;

std::string bound_text(double bound) { return Json(bound).dump(); }

std::string bounds(const OptionSchema& schema) {
  const auto integer = schema.type == "int" || schema.items == "int";
  const auto show = [&](double bound) {
    return integer ? std::to_string(std::llround(bound)) : bound_text(bound);
  };
  std::string text;
  if (schema.min) text += ", at least " + show(*schema.min);
  if (schema.above) text += ", above " + show(*schema.above);
  if (schema.max) text += ", at most " + show(*schema.max);
  if (schema.below) text += ", below " + show(*schema.below);
  return text;
}

std::string pad(std::string text, size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

void append(std::string& text, const std::vector<OptionSchema>& schemas, size_t depth, size_t width,
            size_t type_width) {
  for (const OptionSchema& schema : schemas) {
    const std::string name =
        std::string(2 * depth, ' ') + (schema.name == "*" ? "<name>" : schema.name);
    text += "  " + pad(name, width) + "  " + pad(describe_option(schema), type_width) + "  " +
            schema.help + "\n";
    append(text, schema.members, depth + 1, width, type_width);
  }
}

size_t widest(const std::vector<OptionSchema>& schemas, size_t depth) {
  size_t width = 0;
  for (const OptionSchema& schema : schemas) {
    width = std::max({width, schema.name.size() + 2 * depth, widest(schema.members, depth + 1)});
  }
  return std::min(width, kNameWidth);
}

size_t widest_type(const std::vector<OptionSchema>& schemas) {
  size_t width = 0;
  for (const OptionSchema& schema : schemas) {
    width = std::max({width, describe_option(schema).size(), widest_type(schema.members)});
  }
  return std::min(width, kTypeWidth);
}

}  // namespace

std::string describe_option(const OptionSchema& schema) {
  std::string text = schema.type;
  if (schema.type == "list") text = "list of " + (schema.items == "enum" ? "words" : schema.items);
  if (!schema.choices.empty())
    text = (schema.type == "list" ? "list of " : "") + join(schema.choices, " | ");
  if (schema.required) text += ", required";
  if (schema.default_value && !schema.secret && *schema.default_value != Json("")) {
    text += ", default " + schema.default_value->dump();
  }
  return text + bounds(schema) + (schema.secret ? ", secret" : "");
}

std::string format_options(const std::vector<OptionSchema>& schemas) {
  std::string text;
  append(text, schemas, 0, widest(schemas, 0), widest_type(schemas));
  return text;
}

}  // namespace attune
