// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/doctor.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "kernel/host/services/digest.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

using File = Examination::File;

std::vector<std::string> plugin_files(const std::string& folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().filename().string().ends_with(".attune.so")) found.push_back(entry->path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

File examine_file(const std::string& path, const HostFacts& host) {
  File made{.path = path, .info = {}, .refusals = {}, .shadowed_by = ""};
  try {
    made.info = read_plugin(path);
    made.refusals = check_file(*made.info, host);
  } catch (const Refused& refused) {
    made.refusals = refused.refusals();
  } catch (const Error& error) {
    made.refusals = {{"P-02", path, "a file that can be read", error.what(), "check its permissions"}};
  }
  return made;
}

std::string provided(const PluginInfo& info) {
  std::string text;
  for (const Provided& one : info.provides) text += (text.empty() ? "" : ", ") + one.kind + " " + one.name;
  return text;
}

std::string verdict(const File& file) {
  if (!file.refusals.empty()) return "refused";
  if (file.clash) return "clash";
  return file.shadowed_by.empty() ? "loads" : "shadowed";
}

std::string file_text(const File& file) {
  std::string text = "  " + verdict(file) + "  " + fs::path(file.path).filename().string();
  if (file.info)
    text += ": " + file.info->id + " " + file.info->version + ", " + std::string(name_of(file.info->tier)) + ", " + provided(*file.info);
  text += "\n";
  for (const Refusal& refusal : file.refusals) text += "    " + refusal.text() + "\n";
  if (file.clash)
    text += "    the same version as " + file.shadowed_by + ", with other bytes; remove one of them, or give it another version\n";
  else if (!file.shadowed_by.empty())
    text += "    " + file.shadowed_by + " comes first\n";
  return text;
}

}  // namespace

bool Examination::sound() const {
  return std::all_of(folders.begin(), folders.end(), [](const Folder& folder) {
    return folder.refusals.empty() && (folder.there || !folder.folder.required) &&
           std::all_of(folder.files.begin(), folder.files.end(), [](const File& file) { return file.refusals.empty() && !file.clash; });
  });
}

Examination examine(const std::vector<SearchFolder>& folders, HostFacts host) {
  Examination made{.folders = {}, .host = std::move(host)};
  std::map<std::string, File> first;
  std::set<std::string> seen;
  for (const SearchFolder& folder : folders) {
    std::error_code ignored;
    Examination::Folder& one = made.folders.emplace_back(
        Examination::Folder{.folder = folder, .there = fs::is_directory(folder.path, ignored), .refusals = {}, .files = {}});
    if (!one.there || !seen.insert(fs::weakly_canonical(folder.path, ignored).string()).second) continue;
    one.refusals = check_folder(folder.path);
    for (const std::string& path : plugin_files(folder.path)) {
      File& file = one.files.emplace_back(examine_file(path, made.host));
      if (!file.info || !file.refusals.empty() || !one.refusals.empty()) continue;
      const auto [before, fresh] = first.try_emplace(file.info->id, file);
      if (fresh) continue;
      file.shadowed_by = before->second.path;
      file.clash = before->second.info->version == file.info->version && sha256_file(file.shadowed_by) != sha256_file(path);
    }
  }
  return made;
}

std::string examination_text(const Examination& examination) {
  std::string text = "plugin ABI " + std::to_string(examination.host.abi_major) + "." + std::to_string(examination.host.abi_minor) +
                     "\nfingerprint " + examination.host.fingerprint + "\n";
  for (const Examination::Folder& folder : examination.folders) {
    text += "\n" + folder.folder.path + " (" + folder.folder.origin + ")\n";
    if (!folder.there)
      text += folder.folder.required ? "  expected a folder, found none\n" : "  is not there\n";
    else if (folder.files.empty())
      text += "  no plugins\n";
    for (const Refusal& refusal : folder.refusals) text += "  " + refusal.text() + "\n";
    for (const File& file : folder.files) text += file_text(file);
  }
  return text + (examination.sound() ? "\nAll is well.\n" : "\nNot all is well.\n");
}

Json examination_json(const Examination& examination) {
  Json folders = Json::array();
  for (const Examination::Folder& folder : examination.folders) {
    Json files = Json::array(), refusals = Json::array();
    for (const Refusal& refusal : folder.refusals) refusals.push_back(refusal.json());
    for (const File& file : folder.files) {
      Json one = {{"file", file.path}, {"verdict", verdict(file)}};
      if (file.info) one["id"] = file.info->id, one["version"] = file.info->version, one["tier"] = name_of(file.info->tier);
      if (!file.shadowed_by.empty()) one["first"] = file.shadowed_by;
      for (const Refusal& refusal : file.refusals) one["refusals"].push_back(refusal.json());
      files.push_back(std::move(one));
    }
    folders.push_back({{"path", folder.folder.path},
                       {"origin", folder.folder.origin},
                       {"there", folder.there},
                       {"refusals", refusals},
                       {"files", files}});
  }
  return {{"sound", examination.sound()},
          {"abi", std::to_string(examination.host.abi_major) + "." + std::to_string(examination.host.abi_minor)},
          {"fingerprint", examination.host.fingerprint},
          {"folders", folders}};
}

}  // namespace attune
