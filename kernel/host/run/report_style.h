// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace attune {

/// The style of a report, for light and dark screens, narrow and wide ones, and paper.
std::string report_style();

/// What a report can do where scripts run: tell the values under the pointer, open all for
/// printing.
std::string report_script();

}  // namespace attune
