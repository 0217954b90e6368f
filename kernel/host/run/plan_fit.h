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
  int64_t recomputed = 0;  ///< layers whose activations are computed again
  bool half = false;
  int64_t planned = 0;  ///< bytes
};

/// The run as it is in the largest micro-batch that fits; else with as few layers computed again as
/// will do, in the largest micro-batch for which that few do; else in bfloat16. `planned` gives the
/// planned bytes of a resolved run with `layers` layers. Nothing where not even one longest sequence
/// fits.
std::optional<Fit> fit_memory(const Json& run, int64_t layers, int64_t limit,
                              const std::function<int64_t(const Json&)>& planned);

/// "8 GB", "3.5GB", "512 MB" (powers of ten) or "16 GiB", "900 MiB". Throws ExitError(kUsage).
int64_t parse_bytes(const std::string& text);

/// Refuses a training run whose plan exceeds the machine's memory, before its weights are read.
void check_memory(const std::string& run, int64_t planned, int64_t machine);

}  // namespace attune
