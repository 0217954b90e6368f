// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "kernel/host/json.h"

namespace attune {

/// A training run changed so that its planned memory stays within a limit.
struct Fit {
  int64_t tokens_per_batch = 0;
  bool checkpointing = false, half = false;
  int64_t planned = 0;  ///< bytes
};

/// The largest micro-batch that fits, of the run as it is, else with activation checkpointing, else
/// in bfloat16, else with both. `planned` gives the planned bytes of a resolved run. Nothing where
/// not even one longest sequence fits.
std::optional<Fit> fit_memory(const Json& run, int64_t limit,
                              const std::function<int64_t(const Json&)>& planned);

/// "8 GB", "3.5GB", "512 MB" (powers of ten) or "16 GiB", "900 MiB". Throws ExitError(kUsage).
int64_t parse_bytes(const std::string& text);

/// Refuses a training run whose plan exceeds the machine's memory, before anything is read.
void check_memory(const Json& run, int64_t planned, int64_t machine);

}  // namespace attune
