// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/manifest/written.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "kernel/host/manifest/nearest.h"
#include "kernel/host/manifest/toml_text.h"

namespace attune::manifest {
namespace {

namespace fs = std::filesystem;

constexpr size_t kDeepest = 8;

std::optional<std::string> contents(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || !text) return std::nullopt;
  return text.str();
}

class Reader {
 public:
  explicit Reader(Report& report) : report_(report) {}

  Written read(const std::string& path) {
    const auto text = contents(path);
    if (!text) {
      const SourceText& source = add(path, "");
      fatal({.text = &source},
            {"cannot read the manifest", "",
             fs::is_directory(path) ? "this is a folder" : "no such file, or no right to read it"});
    } else {
      written_.root = file(path, *text);
    }
    if (fatal_) report_.throw_if_any();
    return std::move(written_);
  }

 private:
  SourceText& add(const std::string& name, std::string_view text) {
    const fs::path full = fs::absolute(name).lexically_normal();
    const auto order = static_cast<int>(written_.texts.size());
    written_.files.push_back(full.string());
    return written_.texts.emplace_back(
        SourceText{name, full.parent_path(), split_lines(text), order});
  }

  Node file(const std::string& name, std::string_view text) {
    const SourceText& source = add(name, text);
    auto root = parse_toml(text, source, report_);
    if (!root) {
      fatal_ = true;
      return {};
    }
    check_schema(*root, source);
    const Member* include = root->find("include");
    if (!include) return std::move(*root);
    check_top(*root, *include);
    Node base = included(include->value, source);
    root->remove("include");
    merge(base, std::move(*root));
    return base;
  }

  Node included(const Node& list, const SourceText& from) {
    chain_.push_back(written_.files[static_cast<size_t>(from.order)]);
    Node base;
    if (!list.is_list()) {
      report_.add(list.place, {"`include` takes a list of strings",
                               "this is " + std::string(describe(list.type)),
                               "write include = [\"base.toml\"]"});
    }
    for (const Node& item : list.items) include(item, from, base);
    chain_.pop_back();
    return base;
  }

  void include(const Node& item, const SourceText& from, Node& base) {
    if (!item.is_string()) {
      report_.add(item.place, {"`include` takes a list of strings",
                               "this is " + std::string(describe(item.type)),
                               "write include = [\"base.toml\"]"});
      return;
    }
    const auto name = item.scalar.get<std::string>();
    const fs::path full = (from.folder / name).lexically_normal();
    if (fs::path(name).is_absolute()) {
      fatal(item.place, {"an include is relative", "this path is absolute",
                         "give the path from the folder of " + from.name});
    } else if (std::ranges::find(chain_, full.string()) != chain_.end()) {
      fatal(item.place, {"`" + name + "` includes itself", chain_text(full.string()),
                         "take one of these includes out"});
    } else if (chain_.size() > kDeepest) {
      fatal(item.place, {"includes are nested too deep",
                         "at most " + std::to_string(kDeepest) + " levels", "join some files"});
    } else if (const auto text = contents(full)) {
      const fs::path shown = (fs::path(from.name).parent_path() / name).lexically_normal();
      merge(base, file(shown.string(), *text));
    } else {
      fatal(item.place, {"cannot read the include `" + name + "`", "no such file",
                         "it is looked for in the folder of " + from.name});
    }
  }

  std::string chain_text(const std::string& again) const {
    std::vector<std::string> names;
    for (const std::string& file : chain_) names.push_back(fs::path(file).filename().string());
    names.push_back(fs::path(again).filename().string());
    return join(names, " -> ");
  }

  // The version decides what all else means, so it comes first. An included file may leave it out.
  void check_schema(const Node& root, const SourceText& source) {
    const Member* schema = root.find("schema");
    if (!schema) {
      if (!chain_.empty()) return;
      report_.add({.text = &source, .line = 1, .column = 1},
                  {"`schema` is missing", "a manifest starts with it",
                   "write schema = 1 as the first line"});
    } else if (schema->value.scalar != Json(1)) {
      fatal(schema->value.place, {"this version of the language is not known", "expected 1",
                                  "a newer attune may know it; else write schema = 1"});
    } else if (&root.members.front() != schema) {
      report_.add(schema->key, {"`schema` is not the first key",
                                "`" + root.members.front().name + "` stands before it",
                                "write schema = 1 as the first line"});
    }
  }

  void check_top(const Node& root, const Member& include) {
    const auto before = std::ranges::find_if(
        root.members, [](const Member& member) { return member.name != "schema"; });
    if (before->name == "include") return;
    report_.add(include.key, {"`include` is not at the top",
                              "`" + before->name + "` stands before it", "move it below `schema`"});
  }

  // After these, what else there is to report would mislead.
  void fatal(const Place& place, Words words) {
    report_.add(place, std::move(words));
    fatal_ = true;
  }

  Report& report_;
  Written written_;
  bool fatal_ = false;
  std::vector<std::string> chain_;  // files that are being read, the manifest first
};

}  // namespace

Written read_files(const std::string& path, Report& report) { return Reader(report).read(path); }

Written read_manifest(const std::string& path, const std::vector<std::string>& sets,
                      const Environment& environment, Report& report) {
  Written written = read_files(path, report);
  for (const std::string& set : sets) apply_set(set, written, report);
  substitute(written.root, environment, report);
  return written;
}

}  // namespace attune::manifest
