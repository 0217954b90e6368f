// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace attune {

/// Keeps a second process out of a run's folder. The system drops the lock with the process.
class FolderLock {
 public:
  /// Throws ExitError(kRunFailed) where another process runs there.
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int fd_;
};

/// Whether a process runs in the folder.
bool is_locked(const std::string& folder);

}  // namespace attune
