// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <set>
#include <sstream>

#include "kernel/host/run/run_folder.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr size_t kColors = 6, kAnswers = 3;

std::string escaped(const std::string& text) {
  std::string made;
  for (const char c : text)
    made += c == '<' ? "&lt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return made;
}

/// For a place in a chart.
std::string exact(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

std::string shown(const Json& value) {
  return value.is_null()           ? ""
         : value.is_string()       ? value.get<std::string>()
         : value.is_number_float() ? number(value)
                                   : value.dump();
}

std::string name_of(const RunFolder& run) {
  return fs::path(run.path).lexically_normal().filename().string();
}

/// Curves of one metric; runs keep their colour from chart to chart.
std::string chart(const std::string& metric, const std::vector<RunFolder>& runs) {
  constexpr double kWidth = 404, kHeight = 180, kLeft = 72, kTop = 8, kBottom = 22;
  double low_x = INFINITY, high_x = -INFINITY, low_y = INFINITY, high_y = -INFINITY;
  for (const RunFolder& run : runs) {
    for (const auto& [x, y] : run.curve(metric)) {
      if (!std::isfinite(y)) continue;
      low_x = std::min(low_x, x), high_x = std::max(high_x, x), low_y = std::min(low_y, y),
      high_y = std::max(high_y, y);
    }
  }
  if (!std::isfinite(low_x)) return "";
  const auto place = [](double value, double low, double high, double from, double to) {
    return from + (high > low ? (value - low) / (high - low) : 0.5) * (to - from);
  };
  std::string svg = "<figure><figcaption>" + escaped(metric) +
                    "</figcaption><svg viewBox=\"0 0 480 210\" role=\"img\" aria-label=\"" +
                    escaped(metric) + "\">";
  const auto text = [&](double x, double y, const std::string& what, const char* anchor) {
    svg += "<text x=\"" + exact(x) + "\" y=\"" + exact(y) + "\" text-anchor=\"" + anchor + "\">" +
           what + "</text>";
  };
  svg += "<path class=\"axis\" d=\"M72 8V188H476\"/>";
  text(kLeft - 6, kTop + 8, number(high_y), "end");
  text(kLeft - 6, kTop + kHeight, number(low_y), "end");
  text(kLeft, kTop + kHeight + kBottom - 6, number(low_x), "start");
  text(kLeft + kWidth, kTop + kHeight + kBottom - 6, "step " + number(high_x), "end");
  for (size_t i = 0; i < runs.size(); ++i) {
    std::string points;
    size_t count = 0;
    for (const auto& [x, y] : runs[i].curve(metric)) {
      if (!std::isfinite(y)) continue;
      points += exact(place(x, low_x, high_x, kLeft, kLeft + kWidth)) + "," +
                exact(place(y, low_y, high_y, kTop + kHeight, kTop)) + " ";
      ++count;
    }
    const std::string color = "c" + std::to_string(i % kColors);
    if (count == 1) {
      const size_t comma = points.find(',');
      svg += "<circle class=\"" + color + "\" cx=\"" + points.substr(0, comma) + "\" cy=\"" +
             points.substr(comma + 1, points.size() - comma - 2) + "\" r=\"3\"/>";
    } else if (count > 1) {
      svg += "<polyline class=\"" + color + "\" points=\"" + points + "\"/>";
    }
  }
  return svg + "</svg></figure>";
}

/// Metrics of all runs: losses and rewards first.
std::vector<std::string> metrics_of(const std::vector<RunFolder>& runs) {
  std::set<std::string> all;
  for (const RunFolder& run : runs) {
    for (const Json& row : run.metrics) {
      for (const auto& [key, value] : row.items()) {
        if (key != "step" && value.is_number()) all.insert(key);
      }
    }
  }
  std::vector<std::string> ordered;
  for (const char* first : {"loss", "eval/loss", "reward/accuracy", "reward/margin"}) {
    if (all.erase(first)) ordered.emplace_back(first);
  }
  ordered.insert(ordered.end(), all.begin(), all.end());
  return ordered;
}

/// Rows of answers.jsonl of a run that generated.
std::vector<Json> answers_of(const RunFolder& run) {
  std::vector<Json> rows;
  const fs::path file = fs::path(run.path) / "answers.jsonl";
  if (!fs::exists(file)) return rows;
  std::istringstream lines(read_text(file));
  for (std::string line; std::getline(lines, line) && rows.size() < kAnswers;)
    rows.push_back(Json::parse(line, nullptr, false));
  return rows;
}

std::string answers(const std::vector<RunFolder>& runs) {
  std::string text;
  for (const RunFolder& run : runs) {
    for (const Json& row : answers_of(run)) {
      if (!row.is_object()) continue;
      text += "<tr><td>" + escaped(name_of(run)) + "</td><td><pre>" +
              escaped(shown(row.value("prompt", Json()))) + "</pre></td><td><pre>" +
              escaped(shown(row.value("text", Json()))) + "</pre></td></tr>";
    }
  }
  return text.empty()
             ? ""
             : "<h2>Answers</h2><div><table><tr><th>run</th><th>prompt</th><th>answer</th></tr>" +
                   text + "</table></div>";
}

std::string table(const std::vector<RunFolder>& runs, const Json& rows) {
  std::string text = "<div><table><tr><th></th>";
  for (const RunFolder& run : runs) text += "<th>" + escaped(name_of(run)) + "</th>";
  text += "</tr>";
  for (const auto& [key, values] : rows.items()) {
    text += "<tr><td>" + escaped(key) + "</td>";
    for (const Json& value : values) text += "<td>" + escaped(shown(value)) + "</td>";
    text += "</tr>";
  }
  return text + "</table></div>";
}

Json results_of(const std::vector<RunFolder>& runs) {
  Json rows = Json::object();
  for (size_t i = 0; i < runs.size(); ++i) {
    for (const auto& [key, value] : flattened(runs[i].record.value("results", Json::object()))) {
      if (!rows.contains(key)) rows[key] = Json(std::vector<Json>(runs.size()));
      rows[key][i] = value;
    }
  }
  return rows;
}

constexpr const char* kHead =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
    "content=\"width=device-width\"><title>Runs</title><style>"
    ":root{color-scheme:light "
    "dark;--c0:#2f6db3;--c1:#c2571a;--c2:#2c8a4b;--c3:#8a4fb0;--c4:#b0304a;--c5:#6b7280;--line:#"
    "8884}"
    "@media(prefers-color-scheme:dark){:root{--c0:#7db3ee;--c1:#f0a068;--c2:#74cf93;--c3:#c79be8;--"
    "c4:#f08aa0;--c5:#a6adba}}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:68rem;margin:2rem auto;padding:0 "
    "1rem}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}"
    ".grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:"
    "1rem}figure{margin:0}figcaption{font-weight:600}"
    "svg{width:100%;max-width:40rem;height:auto}svg "
    "text{font-size:12px;fill:currentColor}.axis{fill:none;stroke:var(--line)}polyline{fill:none;"
    "stroke-width:1.6}"
    "polyline.c0{stroke:var(--c0)}polyline.c1{stroke:var(--c1)}polyline.c2{stroke:var(--c2)}"
    "polyline.c3{stroke:var(--c3)}polyline.c4{stroke:var(--c4)}"
    "polyline.c5{stroke:var(--c5)}.c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{"
    "fill:var(--c3)}.c4{fill:var(--c4)}.c5{fill:var(--c5)}"
    "polyline.c0,polyline.c1,polyline.c2,polyline.c3,polyline.c4,polyline.c5{fill:none}.key "
    "span{display:inline-block;margin-right:1em}.key "
    "i{display:inline-block;width:.8em;height:.8em;margin-right:.4em}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem "
    "0;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "pre{white-space:pre-wrap;margin:0;font:inherit}div{overflow-x:auto}</style>";

}  // namespace

std::string report_html(const std::vector<RunFolder>& runs) {
  std::string page = kHead;
  page += "<h1>" +
          std::string(runs.size() == 1 ? escaped(name_of(runs[0]))
                                       : std::to_string(runs.size()) + " runs") +
          "</h1><p class=\"key\">";
  static constexpr const char* kStyles[] = {"--c0", "--c1", "--c2", "--c3", "--c4", "--c5"};
  std::vector<RunFolder> trained;
  for (const RunFolder& run : runs) {
    if (run.metrics.empty()) continue;
    page += "<span><i style=\"background:var(" + std::string(kStyles[trained.size() % kColors]) +
            ")\"></i>" + escaped(name_of(run)) + (run.finished() ? "" : " (not ended)") +
            "</span> ";
    trained.push_back(run);
  }
  page += "</p><div class=\"grid\">";
  for (const std::string& metric : metrics_of(trained)) page += chart(metric, trained);
  page += "</div>";
  if (const Json differ = manifest_differences(runs); !differ.empty())
    page += "<h2>What the manifests differ in</h2>" + table(runs, differ);
  if (const Json results = results_of(runs); !results.empty())
    page += "<h2>Results</h2>" + table(runs, results);
  page += answers(runs);
  for (const RunFolder& run : runs) {
    const fs::path manifest = fs::path(run.path) / "manifest.toml";
    if (fs::exists(manifest))
      page += "<h2>Manifest of " + escaped(name_of(run)) + "</h2><div><pre>" +
              escaped(read_text(manifest)) + "</pre></div>";
  }
  return page + "</html>\n";
}

}  // namespace attune
