// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernel/host/run/run_folder.h"

namespace attune {

/// One self-contained page that reads without a script: curves of all runs in the same axes,
/// evaluations, answers, the plan beside the measurement, manifests and their differences, machine
/// and digests. Nothing that a run wrote can become markup.
std::string report_html(const std::vector<RunFolder>& runs);

}  // namespace attune
