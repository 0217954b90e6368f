// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/trust/lock.h"

#include <algorithm>
#include <map>

#include "kernel/host/exit.h"
#include "kernel/host/manifest/toml_text.h"
#include "kernel/host/run/toml_writer.h"

namespace attune {
namespace {

constexpr const char* kSchema = R"toml(
[schema]
type = "int"
required = true
min = 1
max = 1
help = "Version of this format"
[values]
type = "table"
default = {}
help = "Values of the resolved manifest"
[file]
type = "list"
items = "table"
required = true
help = "Files by their digests"
[file.members.role]
type = "enum"
choices = ["host", "engine", "plugin", "library", "manifest", "input"]
required = true
help = "What the file is for"
[file.members.name]
type = "string"
required = true
help = "Id or path"
[file.members.sha256]
type = "string"
required = true
help = "Its bytes"
)toml";

bool is_digest(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

Lock lock_of(const Json& table) {
  Lock lock;
  lock.values = table.at("values");
  for (const Json& file : table.at("file")) {
    lock.files.push_back({file.at("role"), file.at("name"), file.at("sha256")});
    if (!is_digest(lock.files.back().sha256))
      throw Error(lock.files.back().name + ": expected a SHA-256 of 64 hex digits");
  }
  return lock;
}

std::map<std::string, const Lock::File*> by_name(const Lock& lock) {
  std::map<std::string, const Lock::File*> files;
  for (const Lock::File& file : lock.files) files[file.role + " " + file.name] = &file;
  return files;
}

}  // namespace

std::string lock_text(const Lock& lock) {
  Json table = {{"schema", 1}, {"values", lock.values}, {"file", Json::array()}};
  for (const Lock::File& file : lock.files)
    table["file"].push_back({{"role", file.role}, {"name", file.name}, {"sha256", file.sha256}});
  return "# Written by attune lock: what attune run --locked holds the run to.\n" + to_toml(table);
}

Lock parse_lock(std::string_view text, const std::string& file) {
  static const auto schema = manifest::read_schemas(manifest::parse_toml(kSchema, nullptr));
  std::string why;
  try {
    return lock_of(validate_options(schema, manifest::to_json(manifest::parse_toml(text, nullptr))));
  } catch (const manifest::SyntaxError& error) {
    why = "line " + std::to_string(error.line) + ": " + error.what;
  } catch (const Error& error) {
    why = error.what();
  }
  throw ExitError(Exit::kTrust, file + ": is no lock: " + why + "; write it anew: attune lock FILE");
}

std::vector<std::string> differences(const Lock& locked, const Lock& now) {
  std::vector<std::string> lines;
  const auto before = by_name(locked), after = by_name(now);
  for (const auto& [name, file] : before) {
    const auto other = after.find(name);
    if (other == after.end()) {
      lines.push_back(name + ": in the lock, not used or not there now");
    } else if (other->second->sha256 != file->sha256) {
      lines.push_back(name + ": SHA-256 " + file->sha256 + " in the lock, " +
                      other->second->sha256 + " now (" + other->second->path + ")");
    }
  }
  for (const auto& [name, file] : after) {
    if (!before.contains(name)) lines.push_back(name + ": not in the lock (" + file->path + ")");
  }
  for (const auto& [key, value] : locked.values.items()) {
    const Json found = now.values.value(key, Json());
    if (found != value)
      lines.push_back("value " + key + ": " + value.dump() + " in the lock, " +
                      (found.is_null() ? "nothing" : found.dump()) + " now");
  }
  for (const auto& [key, value] : now.values.items()) {
    if (!locked.values.contains(key))
      lines.push_back("value " + key + ": nothing in the lock, " + value.dump() + " now");
  }
  return lines;
}

Gate::Pinned pinned(const Lock& lock) {
  Gate::Pinned code;
  for (const Lock::File& file : lock.files) {
    if (file.role == "engine" || file.role == "plugin" || file.role == "library")
      code[file.sha256] = file.role + " " + file.name;
  }
  return code;
}

}  // namespace attune
