// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/report_chart.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <set>

#include "kernel/host/run/axis.h"
#include "kernel/host/run/downsample.h"
#include "kernel/host/run/html.h"
#include "kernel/host/run/metric_words.h"
#include "kernel/host/services/progress.h"

namespace attune {
namespace {

constexpr double kWidth = 400, kHeight = 220, kTop = 8, kRight = 10, kBottom = 24,
                 kLetter = 7.4;  // A digit of the widest common face.
constexpr int kTicks = 5;
constexpr double kDecades = 1000;  // From here on a curve is legible on a logarithmic axis only.

std::string coordinate(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  std::string made = text;
  if (made.ends_with(".0")) made.resize(made.size() - 2);
  return made;
}

bool is_share(const std::string& metric) { return metric.ends_with("accuracy"); }

struct Extent {
  double low = INFINITY, high = -INFINITY;
  int64_t infinite = 0;
  void take(double value) {
    if (std::isfinite(value))
      low = std::min(low, value), high = std::max(high, value);
    else
      ++infinite;
  }
  bool empty() const { return low > high; }
};

struct Extents {
  Extent steps, values;
};

Extents extents_of(const Chart& chart) {
  Extents made;
  for (const Curve& curve : chart.curves) {
    for (const auto& [step, value] : *curve.points) made.steps.take(step), made.values.take(value);
  }
  return made;
}

Axis value_axis(const Chart& chart, const Extent& values) {
  if (is_share(chart.metric) && values.low >= 0 && values.high <= 1)
    return Axis(0, 1, Axis::Kind::kLinear, kTicks);
  const bool rate = chart.metric == "learning_rate";
  if (!rate && values.low > 0 && values.high / values.low >= kDecades)
    return Axis(values.low, values.high, Axis::Kind::kLogarithmic, kTicks);
  const bool from_zero = rate || chart.metric == "tokens_per_s" || chart.metric == "memory_mb";
  const double room = (values.high / 2 - values.low / 2) * 0.08;
  return Axis(from_zero && values.low >= 0 ? 0 : values.low - room, values.high + room,
              Axis::Kind::kLinear, kTicks);
}

class Drawing {
 public:
  Drawing(const Chart& chart, const Extents& extents)
      : chart_(chart),
        x_(extents.steps.low, extents.steps.high, Axis::Kind::kWhole, kTicks),
        y_(value_axis(chart, extents.values)) {
    size_t longest = 0;
    for (const double tick : y_.ticks()) longest = std::max(longest, tick_text(tick).size());
    left_ = 8 + kLetter * double(longest);
  }

  std::string svg(const std::string& description) const {
    std::string made = "<svg viewBox=\"0 0 400 220\" role=\"img\" aria-label=\"" +
                       html_text(description) + "\" data-plot=\"" + coordinate(left_) + " " +
                       coordinate(right()) + " " + coordinate(kTop) + " " + coordinate(bottom()) +
                       "\" data-x=\"" + number_text(x_.low(), 9) + " " + number_text(x_.high(), 9) +
                       "\" data-y=\"" + number_text(y_.low(), 9) + " " + number_text(y_.high(), 9) +
                       (y_.logarithmic() ? " log" : "") + "\">";
    made += grid();
    for (const Curve& curve : chart_.curves) made += line(curve);
    return made + "</svg>";
  }

  bool logarithmic() const { return y_.logarithmic(); }

 private:
  static double right() { return kWidth - kRight; }
  static double bottom() { return kHeight - kBottom; }
  double x(double step) const { return left_ + x_.place(step) * (right() - left_); }
  double y(double value) const { return bottom() - y_.place(value) * (bottom() - kTop); }
  std::string at(double step, double value) const {
    return coordinate(x(step)) + "," + coordinate(y(value));
  }

  std::string tick_text(double tick) const {
    return is_share(chart_.metric) ? number_text(tick * 100, 3) + " %" : y_.text(tick);
  }

  std::string grid() const {
    std::string lines, words;
    const auto word = [&](double px, double py, const char* anchor, const std::string& text) {
      words += "<text x=\"" + coordinate(px) + "\" y=\"" + coordinate(py) + "\" text-anchor=\"" +
               anchor + "\">" + text + "</text>";
    };
    for (const double tick : y_.ticks()) {
      lines += "M" + coordinate(left_) + "," + coordinate(y(tick)) + "H" + coordinate(right());
      word(left_ - 6, y(tick) + 4, "end", tick_text(tick));
    }
    for (const double tick : x_.ticks()) {
      lines += "M" + coordinate(x(tick)) + "," + coordinate(bottom()) + "v4";
      const bool edge = x(tick) > right() - 16;
      word(edge ? right() + 4 : x(tick), kHeight - 7, edge ? "end" : "middle", x_.text(tick));
    }
    return "<path class=\"grid\" d=\"" + lines + "\"/><g aria-hidden=\"true\">" + words + "</g>";
  }

  std::string line(const Curve& curve) const {
    const std::vector<Bucket> buckets = buckets_of(*curve.points, kParts);
    std::string path, upper, lower, last, dots;
    bool joined = false, band = false;
    for (const Bucket& bucket : buckets) {
      if (!bucket.finite) {
        joined = false;
        continue;
      }
      last = at(bucket.step, bucket.mean);
      path += (joined ? " " : "M") + last;
      joined = true;
      band |= bucket.high > bucket.low;
      upper += (upper.empty() ? "M" : " ") + at(bucket.step, bucket.high);
      lower = " " + at(bucket.step, bucket.low) + lower;
    }
    if (path.empty()) return "";
    const char* const stroke = curve.stroke == Stroke::kSolid    ? ""
                               : curve.stroke == Stroke::kDashed ? " dashed"
                                                                 : " dotted";
    const size_t comma = last.find(',');
    return "<g class=\"r" + std::to_string(curve.run % 12) + "\">" +
           (band ? "<path class=\"band\" d=\"" + upper + lower + "Z\"/>" : "") +
           "<path class=\"line" + stroke + "\" data-name=\"" + html_text(curve.label) + "\" d=\"" +
           path + "\"/><circle r=\"2.5\" cx=\"" + last.substr(0, comma) + "\" cy=\"" +
           last.substr(comma + 1) + "\"/></g>";
  }

  const Chart& chart_;
  Axis x_, y_;
  double left_ = 0;
};

std::string description(const Chart& chart, const Extents& extents) {
  std::string text = chart.title + ", steps " + grouped(std::llround(extents.steps.low)) + " to " +
                     grouped(std::llround(extents.steps.high)) + ".";
  for (const Curve& curve : chart.curves) {
    Extent values;
    double first = NAN, last = NAN;
    for (const auto& [step, value] : *curve.points) {
      values.take(value);
      if (!std::isfinite(value)) continue;
      if (std::isnan(first)) first = value;
      last = value;
    }
    if (values.empty()) continue;
    const auto say = [&](double value) { return metric_text(chart.metric, value); };
    text += " " + curve.label + ": from " + say(first) + " to " + say(last) + ", lowest " +
            say(values.low) + ", highest " + say(values.high) + ".";
  }
  return text;
}

std::string newest_values(const Chart& chart) {
  std::string items;
  for (const Curve& curve : chart.curves) {
    const char* const kind = curve.stroke == Stroke::kSolid    ? "solid"
                             : curve.stroke == Stroke::kDashed ? "dashed"
                                                               : "dotted";
    items += "<li class=\"r" + std::to_string(curve.run % 12) + "\"><i class=\"" + kind +
             "\"></i>" + "<span title=\"" + html_text(curve.label) + "\">" +
             html_text(curve.label) + "</span> <b>" +
             html_text(metric_text(chart.metric, curve.points->back().value)) + "</b></li>";
  }
  return "<ul class=\"newest\">" + items + "</ul>";
}

std::string title_of(const std::string& metric) {
  std::string title = metric_label(metric);
  if (metric == "memory_mb") title += ", MB";
  if (!title.empty()) title[0] = char(std::toupper(static_cast<unsigned char>(title[0])));
  return title;
}

/// What shares a chart with `metric`: a metric's name and how it is called there.
std::vector<std::pair<std::string, std::string>> family_of(const std::string& metric) {
  for (const std::string prefix : {"", "eval/"}) {
    if (metric == prefix + "reward/chosen")
      return {{metric, "chosen"}, {prefix + "reward/rejected", "rejected"}};
  }
  if (metric.starts_with("eval/")) return {{metric, ""}};
  return {{metric, ""}, {"eval/" + metric, "validation"}};
}

Chart chart_of(const std::string& metric, const std::vector<const RunFolder*>& runs,
               const std::vector<std::string>& labels, std::set<std::string>& drawn) {
  Chart chart{title_of(metric), metric, {}};
  const auto family = family_of(metric);
  if (family.front().second == "chosen")
    chart.title = metric.starts_with("eval/") ? "Validation rewards" : "Rewards";
  for (size_t r = 0; r < runs.size(); ++r) {
    for (const auto& [name, role] : family) {
      const auto& points = runs[r]->metrics.curve(name);
      if (points.empty()) continue;
      drawn.insert(name);
      const std::string label = runs.size() == 1 ? (role.empty() ? "newest" : role)
                                                 : (role.empty() ? "" : role + ", ") + labels[r];
      chart.curves.push_back({r, label, &points,
                              role == "validation" ? Stroke::kDashed
                              : role == "rejected" ? Stroke::kDotted
                                                   : Stroke::kSolid});
    }
  }
  return chart;
}

bool of_less_interest(const std::string& metric) {
  for (const char* name : {"tokens", "scored_tokens", "seconds"}) {
    if (metric == name) return true;
  }
  return metric.starts_with("logprob/") || metric.starts_with("eval/logprob/");
}

}  // namespace

std::string chart_html(const Chart& chart) {
  const Extents extents = extents_of(chart);
  std::string notes;
  std::string made = "<figure><figcaption>" + html_text(chart.title);
  if (extents.values.empty())
    return made + "</figcaption><p class=\"note\">no value was finite</p></figure>";
  const Drawing drawing(chart, extents);
  if (drawing.logarithmic()) notes = "logarithmic";
  if (extents.values.infinite > 0)
    notes += (notes.empty() ? "" : ", ") + grouped(extents.values.infinite) + " not finite";
  if (!notes.empty()) made += " <small>" + notes + "</small>";
  return made + "</figcaption>" + drawing.svg(description(chart, extents)) + newest_values(chart) +
         "</figure>";
}

Charts charts_of(const std::vector<const RunFolder*>& runs,
                 const std::vector<std::string>& labels) {
  std::vector<std::string> names;
  for (const RunFolder* run : runs) {
    for (const std::string& name : run->metrics.names()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  Charts charts;
  std::set<std::string> drawn;
  for (const std::string& name : ordered_metrics(names)) {
    if (drawn.contains(name)) continue;
    const bool validates = name.starts_with("eval/") &&
                           std::find(names.begin(), names.end(), name.substr(5)) != names.end();
    // It comes with what it validates, unless that shares its chart with another.
    if (validates && family_of(name.substr(5)).back().first == name) continue;
    (of_less_interest(name) ? charts.more : charts.first)
        .push_back(chart_of(name, runs, labels, drawn));
  }
  return charts;
}

}  // namespace attune
