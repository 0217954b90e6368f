// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernel/host/run/run_folder.h"

namespace attune {

/// A curve of more points is drawn in so many parts.
inline constexpr size_t kParts = 300;

enum class Stroke { kSolid, kDashed, kDotted };

/// One line of a chart.
struct Curve {
  size_t run;  ///< its place in the legend, which is its colour
  std::string label;
  const std::vector<MetricLog::Point>* points;
  Stroke stroke = Stroke::kSolid;
};

struct Chart {
  std::string title, metric;
  std::vector<Curve> curves;
};

/// A figure: caption, curves as SVG, the newest values. What it shows is said in words too.
std::string chart_html(const Chart& chart);

/// The charts of runs, those that matter first; `more` are of less interest. Validation lies in the
/// chart of what it validates, rewards of chosen and rejected answers in one.
struct Charts {
  std::vector<Chart> first, more;
};
Charts charts_of(const std::vector<const RunFolder*>& runs, const std::vector<std::string>& labels);

}  // namespace attune
