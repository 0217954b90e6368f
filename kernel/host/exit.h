// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>

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

/// A run that a signal ended in good order. The exit code is the one that a shell gives a process that
/// the signal killed, 128 + signal: schedulers know it as "was told to stop", not as a failure.
inline ExitError stopped_by(int signal, const std::string& where = "") {
  const std::string name = signal == SIGINT ? "SIGINT" : signal == SIGTERM ? "SIGTERM" : signal == SIGUSR1 ? "SIGUSR1" : "signal " + std::to_string(signal);
  return {Exit(128 + signal), "stopped by " + name + (where.empty() ? "" : " ") + where + "; run the same command again to go on"};
}

}  // namespace attune
