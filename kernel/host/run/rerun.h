// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kernel/host/json.h"

/// What `attune rerun` asks of a run that ended.
namespace attune {

/// Throws ExitError(kManifest) where a value is masked: records keep no secrets.
void refuse_secrets(const Json& manifest);

/// Throws ExitError(kData) naming every input of the runs in `folder` whose bytes are others now.
void check_inputs(const std::string& folder);

/// "plugin org.attune.dpo: 0.1.0 (SHA-256 ...) then, ... now"; these may change the bits.
std::vector<std::string> changed_software(const std::string& folder, const Json& software);

struct Comparison {
  size_t compared = 0;
  std::vector<std::string> different;
};
/// Compares what two runs made: models, adapters, answers, samples and results byte for byte, but
/// for the name of the folder; metrics row by row, but for times and memory.
Comparison compare_runs(const std::string& before, const std::string& now);

}  // namespace attune
