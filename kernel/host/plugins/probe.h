// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "kernel/host/plugins/engine_library.h"
#include "kernel/host/plugins/metadata.h"
#include "kernel/host/plugins/refusal.h"
#include "kernel/host/plugins/sealed_file.h"

namespace attune {

struct ProbeLimits {
  double seconds = 10;     ///< of wall time, for everything
  EngineFile engine = {};  ///< opened first for the torch tier; without a path the pure tier alone is probed
};

/// Runs a plugin for the first time, in a child process: opens it, asks for its entry, calls init,
/// makes and destroys an object of each factory that needs no options, gives a data set a record,
/// and calls deinit. What breaks rules P-03, P-05, P-08, P-10 to P-12 and P-16 to P-19 is named,
/// and nothing of it reaches this process. Empty where nothing was found: a plugin that waits for
/// its time to do harm passes.
std::optional<Refusal> probe(const PluginInfo& plugin, const SealedFile& file,
                             const ProbeLimits& limits = {});

}  // namespace attune
