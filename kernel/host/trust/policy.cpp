// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/trust/policy.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "kernel/host/exit.h"
#include "kernel/host/manifest/toml_text.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

constexpr const char* kSchema = R"toml(
[trust]
type = "table"
help = "Whose code may be loaded"
[trust.members.require]
type = "enum"
choices = ["none", "signed", "locked"]
default = "none"
help = "What code needs: nothing, a signature, or a lock"
[trust.members.key]
type = "list"
items = "table"
default = []
help = "Keys whose signatures count"
[trust.members.key.members.name]
type = "string"
required = true
help = "Whose key it is"
[trust.members.key.members.key]
type = "string"
required = true
help = "Second line of its file"
[trust.members.revoked]
type = "list"
items = "table"
default = []
help = "Keys whose signatures count no more"
[trust.members.revoked.members.id]
type = "string"
required = true
help = "The key, in hex"
[trust.members.revoked.members.reason]
type = "string"
default = "no reason given"
help = "Why"
)toml";

Json checked(std::string_view toml) {
  static const auto schema = manifest::read_schemas(manifest::parse_toml(kSchema, nullptr));
  try {
    return validate_options(schema, manifest::to_json(manifest::parse_toml(toml, nullptr)));
  } catch (const manifest::SyntaxError& error) {
    throw Error("line " + std::to_string(error.line) + ": " + error.what);
  }
}

std::string key_id(std::string text) {
  const auto hex = [](unsigned char c) { return std::isxdigit(c) != 0; };
  if (text.size() != 16 || !std::all_of(text.begin(), text.end(), hex))
    throw Error("trust.revoked: expected `id` to be 16 hex digits, found \"" + text + "\"");
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

Policy policy_of(const Json& site) {
  Policy policy;
  const Json trust = site.value("trust", Json::object());
  const std::string require = trust.value("require", "none");
  policy.require = require == "signed"   ? Policy::Require::kSigned
                   : require == "locked" ? Policy::Require::kLocked
                                         : Policy::Require::kNone;
  for (const Json& key : trust.value("key", Json::array())) {
    const std::string name = key.at("name");
    try {
      policy.keys.push_back({name, parse_public_key(key.at("key").get<std::string>())});
    } catch (const Error& error) {
      throw Error("trust.key \"" + name + "\": " + error.what());
    }
  }
  for (const Json& entry : trust.value("revoked", Json::array()))
    policy.revoked[key_id(entry.at("id"))] = entry.at("reason");
  if (policy.require == Policy::Require::kSigned && policy.keys.empty())
    throw Error("require = \"signed\" needs at least one [[trust.key]], found none");
  return policy;
}

}  // namespace

Policy parse_policy(std::string_view toml, const std::string& file) {
  try {
    Policy policy = policy_of(checked(toml));
    policy.file = file;
    return policy;
  } catch (const Error& error) {
    throw ExitError(Exit::kTrust, file + ": " + error.what() +
                                      "; nothing runs until the site's configuration is right");
  }
}

Policy read_policy(const std::vector<SiteFile>& files) {
  for (const SiteFile& file : files) {
    std::error_code problem;
    if (!file.required && !std::filesystem::exists(file.path, problem) && !problem) continue;
    try {
      return parse_policy(read_text(file.path), file.path);
    } catch (const ExitError& error) {
      throw ExitError(Exit::kTrust, error.what());
    }
  }
  return {};
}

}  // namespace attune
