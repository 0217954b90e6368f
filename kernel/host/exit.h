// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attune/error.h"

namespace attune {

/// What the process tells its caller.
enum class Exit { kOk = 0, kUsage = 1, kManifest = 2, kPluginMissing = 3, kPluginRefused = 4, kTrust = 5, kData = 6, kRunFailed = 7 };

/// An error that knows the exit code of the process. Any other exception ends a run with kRunFailed.
class ExitError : public Error {
 public:
  ExitError(Exit exit, const std::string& what, int code = ATTUNE_E_INVALID)
      : Error(what, code), exit_(exit) {}
  Exit exit() const noexcept { return exit_; }

 private:
  Exit exit_;
};

}  // namespace attune
