// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "kernel/host/json.h"

/// Files that are there whole or not at all.
namespace attune {

/// Throws ExitError(kData) naming the file.
std::string read_text(const std::filesystem::path& file);
Json read_json(const std::filesystem::path& file);

/// A document with its format and its digest in it; and what such a text holds, null where that is
/// not what was written.
std::string sealed(Json document);
Json unsealed(const std::string& text);

/// Writes beside the target, syncs, renames. A killed process leaves the old file.
void write_atomically(const std::filesystem::path& file, std::string_view text);

/// Makes a file's bytes, or the names in a folder, last.
void sync_path(const std::filesystem::path& path);

/// Throws ExitError(kRunFailed): "path: writing failed: No space left on device; ...".
[[noreturn]] void fail_with_errno(const std::filesystem::path& path, const std::string& doing);

/// A folder that appears under its name only when it is complete. Removed if it is never published.
class StagedFolder {
 public:
  explicit StagedFolder(std::filesystem::path target);
  ~StagedFolder();
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;

  const std::filesystem::path& path() const { return staging_; }
  /// Syncs every file and renames. Throws where the target has come into being meanwhile.
  void publish();

 private:
  std::filesystem::path target_, staging_;
  bool published_ = false;
};

}  // namespace attune
