// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/manifest/checker.h"

#include <algorithm>

#include "kernel/host/manifest/nearest.h"

namespace attune::manifest {
namespace {

bool is_table_list(const OptionSchema& schema) {
  return schema.type == "list" && schema.items == "table";
}

bool holds_tables(const OptionSchema& schema) {
  return schema.type == "table" || is_table_list(schema);
}

std::string escaped(std::string name) {
  for (size_t at = 0; (at = name.find_first_of("~/", at)) != name.npos; at += 2) {
    name.replace(at, 1, name[at] == '~' ? "~0" : "~1");
  }
  return name;
}

Scope inside(const Scope& scope, const std::string& name) {
  Scope inner = scope;
  inner.section = scope.section.empty() ? name : scope.section + "." + name;
  inner.path = scope.path.empty() ? name : scope.path + "." + name;
  inner.pointer = scope.pointer + "/" + escaped(name);
  return inner;
}

Scope item(const Scope& scope, size_t index) {
  Scope inner = scope;
  inner.path += "[" + std::to_string(index) + "]";
  inner.pointer += "/" + std::to_string(index);
  return inner;
}

// Whether a table that is absent can be made of its members' defaults.
bool all_optional(const std::vector<OptionSchema>& members) {
  return !members.empty() &&
         std::ranges::none_of(members, [](const auto& m) { return m.required || m.name == "*"; });
}

Replaced replaced(const Shadowed& shadowed, bool secret) {
  const Place& place = shadowed.place;
  return {.value = secret ? Json("***") : shadowed.value,
          .file = place.text ? place.text->name : "",
          .line = place.text && place.text->numbered ? place.line : 0,
          .column = place.column};
}

}  // namespace

Json Checker::table(const std::vector<OptionSchema>& schemas, const Node& node,
                    const Scope& scope) {
  Json out = Json::object();
  std::vector<const OptionSchema*> known;
  for (const OptionSchema& schema : schemas) {
    known.push_back(&schema);
    if (schema.name != "*") key(out, schema, node, scope);
  }
  if (const OptionSchema* any = find_option(schemas, "*")) {
    for (const Member& member : node.members) {
      if (find_option(schemas, member.name) != any) continue;
      OptionSchema named = *any;
      named.name = member.name;
      key(out, named, node, scope);
    }
  }
  unknown(out, known, node, scope);
  return out;
}

void Checker::key(Json& out, const OptionSchema& schema, const Node& table, const Scope& scope) {
  Scope inner = inside(scope, schema.name);
  inner.title = title_of(schema, inner.section);
  inner.parent = scope.title;
  if (const Member* member = table.find(schema.name)) {
    inner.place = member->key;
    out[schema.name] = value(schema, member->value, inner);
    return;
  }
  if (schema.required) {
    if (!scope.partial) missing(schema, scope);
    return;
  }
  if (schema.default_value) {
    out[schema.name] = default_of(schema, *schema.default_value);
    if (!scope.partial) record_default(schema, inner);
  } else if (schema.type == "table" && all_optional(schema.members)) {
    out[schema.name] = value(schema, Node(), inner);
  }
}

void Checker::missing(const OptionSchema& schema, const Scope& scope) {
  const Scope inner = inside(scope, schema.name);
  const bool tables = holds_tables(schema) && !schema.members.empty();
  const auto list = std::ranges::find_if(
      schema.members, [](const auto& m) { return m.required && is_table_list(m); });
  if (schema.type == "table" && list != schema.members.end()) {
    Scope absent = inner;
    absent.title = scope.title;
    return missing(*list, absent);
  }
  const std::string name = "`" + schema.name + "`";
  report_.add(
      scope.place,
      {(tables ? title_of(schema, inner.section) : name) + " is missing", scope.title + " needs it",
       tables ? schema.help : name + " (" + describe_option(schema) + "): " + schema.help});
}

Json Checker::value(const OptionSchema& schema, const Node& node, const Scope& scope) {
  if (schema.type == "list") return list(schema, node, scope);
  if (schema.required && node.is_string() && node.scalar.get<std::string>().empty()) {
    report_.add(node.place,
                {"`" + schema.name + "` is empty", scope.parent + " needs it", schema.help});
    return nullptr;
  }
  if (schema.type == "path") return path(schema, node, scope);
  if (schema.type != "table") {
    record(node, scope, schema.secret);
    return check_scalar(schema, node, report_);
  }
  if (!node.is_table()) {
    const bool header = node.is_list() && !node.items.empty() && node.items[0].is_table();
    report_.add(
        node.place,
        {"`" + schema.name + "` takes a table", "this is " + std::string(describe(node.type)),
         header ? "write " + scope.title + ", with one pair of brackets" : schema.help});
    return nullptr;
  }
  if (!schema.plugin.empty()) return plugin_table(schema, node, scope);
  return schema.members.empty() ? free_form(node, scope, schema.secret)
                                : table(schema.members, node, scope);
}

Json Checker::list(const OptionSchema& schema, const Node& node, const Scope& scope) {
  if (!node.is_list()) {
    const bool header = node.is_table() && is_table_list(schema);
    report_.add(header ? scope.place : node.place,
                {"`" + schema.name + "` takes a list of " +
                     (header                   ? "tables"
                      : schema.items == "enum" ? "words"
                                               : schema.items + "s"),
                 "this is " + std::string(describe(node.type)),
                 header ? "write " + scope.title + ", with two pairs of brackets"
                        : "put it in brackets: " + schema.name + " = [...]"});
    return nullptr;
  }
  if (schema.required && is_table_list(schema) && node.items.empty() && !scope.partial) {
    report_.add(node.place, {scope.title + " is empty", "expected at least one", schema.help});
  }
  record(node, scope, schema.secret);
  const OptionSchema each = item_schema(schema);
  Json out = Json::array();
  for (size_t i = 0; i < node.items.size(); ++i) {
    Scope entry = item(scope, i);
    entry.place = node.items[i].place;
    out.push_back(value(each, node.items[i], entry));
  }
  return out;
}

Json Checker::free_form(const Node& node, const Scope& scope, bool secret) {
  if (node.is_table()) {
    Json out = Json::object();
    for (const Member& member : node.members) {
      out[member.name] = free_form(member.value, inside(scope, member.name), secret);
    }
    return out;
  }
  if (node.is_list()) {
    Json out = Json::array();
    for (size_t i = 0; i < node.items.size(); ++i) {
      out.push_back(free_form(node.items[i], item(scope, i), secret));
    }
    return out;
  }
  record(node, scope, secret);
  if (node.type == Node::Type::kDate) {
    report_.add(node.place, {"dates and times are not supported", "this is a date or time",
                             "put it in quotes"});
  }
  return node.scalar;
}

Json Checker::path(const OptionSchema& schema, const Node& node, const Scope& scope) {
  record(node, scope, schema.secret);
  const Json checked = check_scalar(schema, node, report_);
  if (!checked.is_string()) return checked;
  const auto text = checked.get<std::string>();
  if (text.starts_with('@')) {
    check_reference(text, schema, node, scope);
    return text;
  }
  const auto& folder = node.place.text ? node.place.text->folder : folder_;
  if (text.empty() || folder.empty()) return text;
  return (folder / text).lexically_normal().string();
}

Json Checker::default_of(const OptionSchema& schema, const Json& given) const {
  if (schema.type == "path" && !folder_.empty()) {
    const auto text = given.get<std::string>();
    return text.empty() ? text : (folder_ / text).lexically_normal().string();
  }
  if (schema.type != "list" || schema.items != "path") return given;
  Json out = Json::array();
  for (const Json& each : given) out.push_back(default_of(item_schema(schema), each));
  return out;
}

void Checker::unknown(Json& out, const std::vector<const OptionSchema*>& known, const Node& node,
                      const Scope& scope) {
  for (const Member& member : node.members) {
    const bool named = std::ranges::any_of(
        known, [&](const auto* s) { return s->name == member.name || s->name == "*"; });
    if (named) continue;
    if (member.name.starts_with("x-") && member.value.is_table()) {
      out[member.name] = free_form(member.value, inside(scope, member.name), false);
      continue;
    }
    std::vector<std::string> cures;
    const std::string near = suggestion(member.name, known);
    if (!near.empty()) cures.push_back(near);
    const auto others = elsewhere(member.name, scope.title);
    if (!others.empty())
      cures.push_back("`" + member.name + "` belongs to " + join(others, " or "));
    if (cures.empty() && !known.empty()) {
      std::vector<std::string> names;
      for (const auto* schema : known) names.push_back(schema->name);
      cures.push_back("known are " + quoted(names));
    }
    report_.add(member.key, {"unknown key `" + member.name + "`", "not a key of " + scope.title,
                             join(cures, "; ")});
  }
}

void Checker::record(const Node& node, const Scope& scope, bool secret) {
  if (scope.partial) return;
  const Replaced here = replaced({nullptr, node.place}, false);
  Source source{here.file, here.line, here.column, {}};
  for (const Shadowed& shadowed : node.shadowed) {
    source.shadowed.push_back(replaced(shadowed, secret || node.secret));
  }
  sources_[scope.path] = std::move(source);
  if (secret || node.secret) secrets_.push_back(scope.pointer);
}

void Checker::record_default(const OptionSchema& schema, const Scope& scope) {
  sources_[scope.path] = {.file = "default"};
  if (schema.secret) secrets_.push_back(scope.pointer);
}

const ProviderInfo* Checker::used(const std::string& path) const {
  const auto found = used_.find(path);
  return found == used_.end() ? nullptr : &found->second;
}

OptionSchema item_schema(const OptionSchema& list) {
  OptionSchema each = list;
  each.type = list.items;
  each.items.clear();
  each.default_value.reset();
  each.required = false;
  return each;
}

std::string title_of(const OptionSchema& schema, const std::string& section) {
  return is_table_list(schema) ? "[[" + section + "]]" : "[" + section + "]";
}

std::string suggestion(const std::string& word, const std::vector<const OptionSchema*>& known) {
  std::vector<std::string> names;
  for (const auto* schema : known) names.push_back(schema->name);
  const std::string near = nearest(word, names);
  if (near.empty()) return "";
  const auto at = std::ranges::find(names, near) - names.begin();
  return "did you mean `" + near + "`? (" + describe_option(*known[static_cast<size_t>(at)]) + ")";
}

std::string shown(const Node& text) {
  return text.secret || !text.is_string() ? "***" : text.scalar.get<std::string>();
}

std::string quoted(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) out.push_back("`" + name + "`");
  return join(out);
}

std::string noun(std::string_view kind) { return std::string(kind.substr(0, kind.find('/'))); }

std::string with_article(const std::string& word) {
  const bool vowel =
      !word.empty() && std::string_view("aeiou").find(word[0]) != std::string_view::npos;
  return (vowel ? "an " : "a ") + word;
}

namespace {

// One sentence for callers that show no source line.
std::string sentence(const Diagnostic& found) {
  std::string text = found.message;
  if (!found.label.empty()) text += ": " + found.label;
  if (!found.cure.empty()) text += "; " + found.cure;
  return text;
}

void throw_sentences(const Report& report) {
  std::vector<std::string> lines;
  for (const Diagnostic& found : report.sorted()) lines.push_back(sentence(found));
  if (!lines.empty()) throw Error(join(lines, "\n"));
}

}  // namespace

Json checked_default(const OptionSchema& schema) {
  Report report;
  Checker checker(report, nullptr, {});
  Json out = Json::object();
  Node table;
  table.put(schema.name, {}, from_json(*schema.default_value));
  checker.key(out, schema, table, {.title = "the default"});
  throw_sentences(report);
  return out[schema.name];
}

}  // namespace attune::manifest

namespace attune {

Json validate_options(const std::vector<OptionSchema>& schemas, const Json& given) {
  if (!given.is_object() && !given.is_null()) throw Error("options are a table of name and value");
  manifest::Report report;
  manifest::Checker checker(report, nullptr, std::filesystem::current_path());
  Json out = checker.table(schemas, manifest::from_json(given.is_null() ? Json::object() : given),
                           {.title = "the table of options"});
  manifest::throw_sentences(report);
  return out;
}

}  // namespace attune
