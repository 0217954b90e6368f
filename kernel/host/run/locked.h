// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "kernel/host/manifest/manifest.h"
#include "kernel/host/services/installation.h"
#include "kernel/host/trust/lock.h"

namespace attune {

/// The lock of a run as everything is now. Reads every file anew, whatever its size: no digest is
/// kept from one process to the next, so that none can hide a change.
Lock lock_of(const Manifest& manifest, Installation& installation);

/// "run.toml.lock"
std::string lock_file(const Manifest& manifest);

/// A run held to its lock.
class Locked {
 public:
  /// Compares with the lock file and pins the code. Throws ExitError(kTrust) naming all that
  /// differs; nothing is loaded then.
  Locked(const Manifest& manifest, Installation& installation);
  /// After the run: throws ExitError(kTrust) where a file changed while the run read it. Only files
  /// whose times, size or place changed are read again.
  void verify() const;

 private:
  std::string lock_file_;
  Lock seen_;
};

}  // namespace attune
