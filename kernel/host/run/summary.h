// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernel/host/json.h"

namespace attune {

/// What one stage, or one run, came to.
struct StageOutcome {
  std::string name;
  std::string kind;
  std::string folder;
  bool skipped = false;
  Json results;
};

/// The end of a pipeline, in 100 columns: evaluations before and after, training, three answers
/// side by side, and where the last model lies.
std::string summary(const std::vector<StageOutcome>& stages);

/// The same of one run.
std::string outcome_text(const StageOutcome& run);

}  // namespace attune
