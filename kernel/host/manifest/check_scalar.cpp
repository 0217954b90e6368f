// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cmath>

#include "kernel/host/manifest/checker.h"
#include "kernel/host/manifest/nearest.h"

namespace attune::manifest {
namespace {

std::string wanted(const OptionSchema& schema) {
  if (schema.type == "bool") return "true or false";
  if (schema.type == "int") return "an integer";
  if (schema.type == "count") return "true, false or a number of them";
  if (schema.type == "float") return "a number";
  if (schema.type == "path") return "a path, as a string";
  return "a string";
}

bool fits(const OptionSchema& schema, Node::Type type) {
  if (schema.type == "bool") return type == Node::Type::kBool;
  if (schema.type == "int") return type == Node::Type::kInt;
  if (schema.type == "count") return type == Node::Type::kBool || type == Node::Type::kInt;
  if (schema.type == "float") return type == Node::Type::kInt || type == Node::Type::kFloat;
  return type == Node::Type::kString;
}

bool looks_like(const OptionSchema& schema, const std::string& text) {
  if (schema.type == "bool") return text == "true" || text == "false";
  if (schema.type != "int" && schema.type != "float") return false;
  double number = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  const bool whole = std::floor(number) == number && text.find_first_of(".eE") == text.npos;
  return read.ec == std::errc() && read.ptr == end && (schema.type == "float" || whole);
}

std::string type_cure(const OptionSchema& schema, const Node& node) {
  if (node.is_string() && !node.secret) {
    const auto text = node.scalar.get<std::string>();
    if (looks_like(schema, text)) return "remove the quotes: " + schema.name + " = " + text;
  }
  if (schema.type == "int" && node.type == Node::Type::kFloat) {
    const double number = node.scalar.get<double>();
    if (std::floor(number) == number && std::abs(number) < 1e15) {
      return "write " + schema.name + " = " + std::to_string(std::llround(number));
    }
  }
  if (wanted(schema).ends_with("string") && !node.is_list() && !node.is_table()) {
    return "put the value in quotes";
  }
  return schema.help;
}

std::string show(const OptionSchema& schema, double bound) {
  return schema.type == "int" ? std::to_string(std::llround(bound)) : Json(bound).dump();
}

std::string range_mistake(const OptionSchema& schema, double number) {
  if (!std::isfinite(number)) return "must be finite";
  if (schema.min && number < *schema.min) return "must be at least " + show(schema, *schema.min);
  if (schema.above && number <= *schema.above)
    return "must be above " + show(schema, *schema.above);
  if (schema.max && number > *schema.max) return "must be at most " + show(schema, *schema.max);
  if (schema.below && number >= *schema.below)
    return "must be below " + show(schema, *schema.below);
  return "";
}

Json check_number(const OptionSchema& schema, const Node& node, Report& report) {
  const double number = node.scalar.get<double>();
  const std::string mistake = range_mistake(schema, number);
  if (!mistake.empty()) {
    report.add(node.place, {"`" + schema.name + "` is out of range", mistake, schema.help});
    return nullptr;
  }
  return schema.type == "int" ? node.scalar : Json(number);
}

Json check_choice(const OptionSchema& schema, const Node& node, Report& report) {
  const auto text = node.scalar.get<std::string>();
  if (std::ranges::find(schema.choices, text) != schema.choices.end()) return text;
  const std::string near = nearest(text, schema.choices);
  report.add(node.place, {"`" + schema.name + "` cannot be " +
                              (node.secret ? std::string("this") : "`" + text + "`"),
                          "expected " + join(schema.choices, " | "),
                          near.empty() ? schema.help : "did you mean `" + near + "`?"});
  return nullptr;
}

}  // namespace

Json check_scalar(const OptionSchema& schema, const Node& node, Report& report) {
  if (!fits(schema, node.type)) {
    report.add(node.place,
               {"`" + schema.name + "` takes " + wanted(schema),
                "this is " + std::string(describe(node.type)), type_cure(schema, node)});
    return nullptr;
  }
  if (schema.type == "int" || schema.type == "float") return check_number(schema, node, report);
  if (schema.type == "count" && node.type == Node::Type::kInt && node.scalar.get<int64_t>() < 0) {
    report.add(node.place, {"`" + schema.name + "` is out of range", "must be at least 0", schema.help});
    return nullptr;
  }
  if (schema.type == "enum") return check_choice(schema, node, report);
  return node.scalar;
}

}  // namespace attune::manifest
