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

/// An evaluation's metric with its interval: "93.8 % (72-99)" of a share, "15.42 ±3.4" of a mean.
std::string estimate_text(const Json& metric);

/// "+12.5 points" of shares, "-0.31" of means.
std::string change_text(const Json& before, const Json& after);

}  // namespace attune
