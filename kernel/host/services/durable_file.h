// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "kernel/host/services/digest.h"

namespace attune {

/// A new file that survives the loss of power and is hashed while it is written. Removed where
/// `finish` is not reached. What fails is ExitError(kRunFailed) that names the path and what the
/// system said. [any]
class DurableFile {
 public:
  explicit DurableFile(std::filesystem::path path);
  ~DurableFile();
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;

  void append(std::string_view bytes);
  /// Syncs and closes. Returns the SHA-256 of all that was appended.
  std::string finish();

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  Sha256 digest_;
};

}  // namespace attune
