// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/data_files.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>

#include "kernel/host/exit.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

bool hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> files;
  for (auto at = fs::recursive_directory_iterator(folder); at != fs::recursive_directory_iterator();
       ++at) {
    if (hidden(at->path()))
      at.disable_recursion_pending();
    else if (at->is_regular_file())
      files.push_back(at->path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::vector<std::string> matching_files(const std::string& pattern) {
  if (pattern.find_first_of("*?[") == pattern.npos) return {};
  glob_t found{};
  std::vector<std::string> files;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; ++i) {
      if (fs::is_regular_file(found.gl_pathv[i])) files.emplace_back(found.gl_pathv[i]);
    }
  }
  ::globfree(&found);
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> data_files(const std::string& path,
                                    const std::function<bool(const std::string&)>& takes) {
  if (fs::is_directory(path)) {
    std::vector<std::string> files = files_below(path);
    const size_t all = files.size();
    std::erase_if(files, [&](const std::string& file) { return !takes(file); });
    if (!files.empty()) return files;
    throw ExitError(Exit::kData, path + ": none of the " + std::to_string(all) +
                                     " files in this folder has a suffix that a reader knows; name "
                                     "the reader: reader = { use = \"jsonl\" }");
  }
  if (fs::exists(path)) return {path};
  const std::vector<std::string> files = matching_files(path);
  if (!files.empty()) return files;
  throw ExitError(Exit::kData,
                  path + (path.find_first_of("*?[") == path.npos
                              ? ": there is no such data file; check the path in the manifest"
                              : ": no file matches this pattern; check it in the manifest"));
}

}  // namespace attune
