// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <map>

#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/manifest/toml_text.h"
#include "kernel/host/run/run_folder.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

/// One side: values by key, and where each comes from.
struct Side {
  std::map<std::string, Json> values;
  std::map<std::string, std::string> sources;
};

std::string place(const Source& source) {
  if (source.line > 0) return source.file + ":" + std::to_string(source.line);
  return source.file == "default" ? "the default" : source.file;
}

/// "[0].options.path" -> "[0].path": as a manifest writes it.
std::string written(std::string key) {
  constexpr std::string_view kHop = ".options.";
  if (const size_t hop = key.find(kHop); hop != key.npos) key.replace(hop, kHop.size(), ".");
  return key;
}

void fill(Side& side, const Json& resolved) {
  for (const auto& [key, value] : flattened(resolved)) {
    if (!value.is_null()) side.values[written(key)] = value;
  }
}

Side of_record(const std::string& file) {
  const Json record = manifest::to_json(manifest::parse_toml(read_text(file), nullptr));
  if (!record.contains("manifest"))
    throw ExitError(Exit::kUsage, file + ": expected the record of a run, found no [manifest] in it");
  Side side;
  fill(side, record["manifest"]);
  for (const auto& [key, value] : side.values) side.sources[key] = file;
  return side;
}

Side of_manifest(const std::string& file, const Arguments& arguments, Context& context) {
  const auto installation =
      std::make_unique<Installation>(context.surroundings, context.console,
                                     arguments.all("plugin-path"),
                                     manifest_plugin_paths(file, {}, context.environment));
  const Manifest manifest = load_manifest(
      file, {.catalogue = installation->registry(), .environment = context.environment});
  Side side;
  fill(side, manifest.redacted());
  for (const auto& [key, source] : manifest.sources) side.sources[written(key)] = place(source);
  return side;
}

Side side_of(const std::string& what, const Arguments& arguments, Context& context) {
  const fs::path record = fs::path(what) / "record.toml";
  if (fs::is_directory(what)) {
    if (!fs::exists(record))
      throw ExitError(Exit::kUsage, what + ": expected a run's folder, found no record.toml in it");
    return of_record(record.string());
  }
  return fs::path(what).filename() == "record.toml" ? of_record(what)
                                                    : of_manifest(what, arguments, context);
}

/// {"a": value or null, "a_source", ...} for every key whose values differ.
Json compare(const Side& a, const Side& b) {
  Json rows = Json::object();
  const auto add = [&](const std::string& key) {
    const auto in_a = a.values.find(key), in_b = b.values.find(key);
    const Json left = in_a == a.values.end() ? Json() : in_a->second;
    const Json right = in_b == b.values.end() ? Json() : in_b->second;
    if (left == right || rows.contains(key)) return;
    const auto source = [&](const Side& side) {
      const auto found = side.sources.find(key);
      return found == side.sources.end() ? Json() : Json(found->second);
    };
    rows[key] = {{"a", left}, {"a_source", source(a)}, {"b", right}, {"b_source", source(b)}};
  };
  for (const auto& [key, value] : a.values) add(key);
  for (const auto& [key, value] : b.values) add(key);
  return rows;
}

std::string shown(const Json& value, const Json& source) {
  if (value.is_null()) return "nothing";
  return value.dump() + (source.is_string() ? "  (" + source.get<std::string>() + ")" : "");
}

int diff(const Arguments& arguments, Context& context) {
  const Json rows = compare(side_of(*arguments.text("A"), arguments, context),
                            side_of(*arguments.text("B"), arguments, context));
  std::ostream& out = context.console.out;
  if (arguments.flag("json")) {
    out << rows.dump(2) << "\n";
    return 0;
  }
  if (rows.empty()) out << "the same: no value differs\n";
  for (const auto& [key, row] : rows.items()) {
    out << key << "\n  a: " << shown(row["a"], row["a_source"])
        << "\n  b: " << shown(row["b"], row["b_source"]) << "\n";
  }
  return 0;
}

}  // namespace

Command diff_command() {
  return {{"diff",
           "Show every value in which two manifests or runs differ, and where each comes from",
           "attune diff configs/recipes/dpo.toml configs/recipes/ipo.toml",
           {{"A", "A manifest, a run's folder or its record.toml"}, {"B", "Another"}},
           {plugin_path_option(), {"json", "", "Print the differences as JSON"}}},
          &diff};
}

}  // namespace attune
