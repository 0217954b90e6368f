// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/report_page.h"

#include <algorithm>
#include <cmath>

#include "kernel/host/run/html.h"
#include "kernel/host/run/layout.h"
#include "kernel/host/run/metric_words.h"
#include "kernel/host/run/record.h"
#include "kernel/host/run/report_answers.h"
#include "kernel/host/run/report_chart.h"
#include "kernel/host/run/report_style.h"
#include "kernel/host/run/report_table.h"
#include "kernel/host/run/run_facts.h"
#include "kernel/host/run/summary.h"
#include "kernel/host/services/clock.h"
#include "kernel/host/services/digest.h"
#include "kernel/host/services/progress.h"

namespace attune {
namespace {

/// The runs of a page, and their names on it.
struct Runs {
  explicit Runs(const std::vector<RunFolder>& all) : all(all), labels(labels_of(all)) {
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i].metrics.rows() == 0) continue;
      trained.push_back(&all[i]);
      trained_labels.push_back(labels[i]);
    }
  }
  const std::vector<RunFolder>& all;
  std::vector<std::string> labels;
  std::vector<const RunFolder*> trained;
  std::vector<std::string> trained_labels;
};

std::string section(const char* id, const char* title, const std::string& body) {
  return body.empty() ? ""
                      : "<section id=\"" + std::string(id) + "\"><h2>" + title + "</h2>" + body +
                            "</section>";
}

std::string newest(const RunFolder& run, const char* metric) {
  const auto value = run.metrics.newest(metric);
  return value ? metric_text(metric, *value) : "";
}

std::string steps_text(const RunFolder& run) {
  if (!run.metrics.step()) return "";
  const int64_t step = *run.metrics.step(), steps = run.steps().value_or(step);
  return grouped(step) + (steps != step ? " of " + grouped(steps) : "");
}

std::string peak_text(const RunFolder& run) {
  const Json peak = run.result("peak_memory_bytes");
  return peak.is_number() ? bytes_text(std::llround(peak.get<double>())) : newest(run, "memory_mb");
}

std::string speed_text(const RunFolder& run) {
  const Json speed = run.result("tokens_per_s");
  return speed.is_number() ? metric_text("tokens_per_s", speed.get<double>())
                           : newest(run, "tokens_per_s");
}

std::string time_text(const RunFolder& run) {
  const Json seconds = run.result("seconds");
  return seconds.is_number() ? clock_text(seconds.get<double>()) : "";
}

/// What a run came to, each with how it is called.
std::vector<Fact> outcome_of(const RunFolder& run) {
  return {{"state", activity_name(run.activity)},
          {"steps", steps_text(run)},
          {"loss", newest(run, "loss")},
          {"validation loss", newest(run, "eval/loss")},
          {"accuracy", newest(run, "reward/accuracy")},
          {"reward margin", newest(run, "reward/margin")},
          {"tokens/s", speed_text(run)},
          {"peak memory", peak_text(run)},
          {"time", time_text(run)}};
}

std::string overview(const Runs& runs) {
  if (runs.trained.empty()) return "";
  if (runs.trained.size() == 1) {
    std::string tiles;
    for (const Fact& fact : outcome_of(*runs.trained[0])) {
      if (!fact.value.empty())
        tiles += "<div><dt>" + html_text(fact.what) + "</dt><dd>" + html_text(fact.value) +
                 "</dd></div>";
    }
    return "<dl class=\"tiles\">" + tiles + "</dl>";
  }
  std::vector<std::vector<Fact>> outcomes;
  for (const RunFolder* run : runs.trained) outcomes.push_back(outcome_of(*run));
  std::vector<size_t> columns;
  std::vector<Cell> header = {{"run"}};
  for (size_t c = 0; c < outcomes[0].size(); ++c) {
    bool any = false;
    for (const auto& outcome : outcomes) any |= !outcome[c].value.empty();
    if (!any) continue;
    columns.push_back(c);
    header.push_back({html_text(outcomes[0][c].what), c == 0 ? "" : "num"});
  }
  Table table("Runs that train", header);
  for (size_t r = 0; r < outcomes.size(); ++r) {
    std::vector<Cell> row = {{cell_text(runs.trained_labels[r])}};
    for (const size_t c : columns)
      row.push_back({html_text(outcomes[r][c].value), c == 0 ? "" : "num"});
    table.add(row);
  }
  return section("overview", "Training", table.html());
}

std::string evaluations(const Runs& runs) {
  std::vector<std::string> labels, names;
  std::vector<std::vector<Fact>> columns;
  for (size_t i = 0; i < runs.all.size(); ++i) {
    auto facts = evaluations_of(runs.all[i]);
    if (facts.empty()) continue;
    for (const Fact& fact : facts) {
      if (std::find(names.begin(), names.end(), fact.what) == names.end())
        names.push_back(fact.what);
    }
    labels.push_back(runs.labels[i]);
    columns.push_back(std::move(facts));
  }
  std::vector<Cell> header = {{"metric"}};
  for (const std::string& label : labels) header.push_back({cell_text(label), "num"});
  Table table("Evaluations", header);
  for (const std::string& name : names) {
    std::vector<Cell> row = {{cell_text(name)}};
    for (const auto& facts : columns) {
      const auto found = std::find_if(facts.begin(), facts.end(),
                                      [&](const Fact& fact) { return fact.what == name; });
      row.push_back({found == facts.end() ? "" : html_text(found->value), "num"});
    }
    table.add(row);
  }
  const std::string html = table.html();
  return section(
      "evaluations", "Evaluations",
      html.empty() ? "" : html + "<p class=\"soft\">Means with their 95 % intervals.</p>");
}

std::string legend(const Runs& runs) {
  if (runs.trained.size() < 2) return "";
  std::string made = "<fieldset class=\"runs\"><legend>Runs</legend>";
  for (size_t r = 0; r < runs.trained.size(); ++r) {
    const std::string place = std::to_string(r % 12);
    made += "<label class=\"r" + place + "\"><input type=\"checkbox\" checked" +
            (r < 12 ? " id=\"run" + place + "\"" : " disabled") + "><i class=\"" +
            (r % 12 < 6 ? "solid" : "dashed") + "\"></i>" + html_text(runs.trained_labels[r]) +
            "</label>";
  }
  return made + "</fieldset>";
}

std::string curves(const Runs& runs) {
  const Charts charts = charts_of(runs.trained, runs.trained_labels);
  std::string first, more, notes;
  for (const Chart& chart : charts.first) first += chart_html(chart);
  for (const Chart& chart : charts.more) more += chart_html(chart);
  if (first.empty()) return "";
  for (size_t r = 0; r < runs.trained.size(); ++r) {
    if (const int64_t lines = runs.trained[r]->metrics.unreadable(); lines > 0)
      notes += "<p class=\"note\">" + html_text(runs.trained_labels[r]) + ": " + grouped(lines) +
               (lines == 1 ? " line of metrics.jsonl is no row and is left out.</p>"
                           : " lines of metrics.jsonl are no rows and are left out.</p>");
  }
  bool in_parts = false;
  for (const Chart& chart : charts.first) {
    for (const Curve& curve : chart.curves) in_parts |= curve.points->size() > kParts;
  }
  if (in_parts) {
    notes += "<p class=\"soft\">Long curves are drawn in " + std::to_string(kParts) +
             " parts: the line is the mean of each, the band goes from its lowest to its highest "
             "value.</p>";
  }
  if (!more.empty()) {
    more = "<details><summary>Sizes and times of steps</summary><div class=\"grid\">" + more +
           "</div></details>";
  }
  return section("curves", "Curves",
                 legend(runs) + "<div class=\"grid\">" + first + "</div>" + more + notes);
}

std::string meter(double share) {
  const std::string width = number_text(std::min(100.0, share * 100), 3);
  return "<svg class=\"meter\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" "
         "aria-hidden=\"true\">"
         "<rect class=\"of\" width=\"100\" height=\"10\"/><rect class=\"" +
         std::string(share > 1 ? "over" : "is") + "\" width=\"" + width +
         "\" height=\"10\"/></svg>";
}

std::string plans(const Runs& runs) {
  std::string made;
  for (size_t r = 0; r < runs.trained.size(); ++r) {
    const RunFolder& run = *runs.trained[r];
    Table table("Plan and measurement of " + runs.trained_labels[r],
                {{"what"},
                 {"planned", "num"},
                 {"measured", "num"},
                 {"share", "num"},
                 {"<span class=\"soft\">of the plan</span>"}});
    for (const Prediction& row : plan_and_measurement(run)) {
      table.add({{html_text(row.what)},
                 {html_text(row.planned), "num"},
                 {html_text(row.measured), "num"},
                 {row.share > 0 ? number_text(row.share * 100, 3) + " %" : "", "num"},
                 {row.share > 0 ? meter(row.share) : ""}});
    }
    std::string parts;
    for (const auto& [part, bytes] : planned_memory(run))
      parts += (parts.empty() ? "" : ", ") + part + " " + bytes_text(std::llround(bytes));
    const std::string html = table.html();
    if (html.empty()) continue;
    const std::string heading =
        runs.trained.size() == 1 ? "" : "<h3>" + html_text(runs.trained_labels[r]) + "</h3>";
    made +=
        "<div>" + heading + html +
        (parts.empty() ? "" : "<p class=\"soft\">Planned memory: " + html_text(parts) + ".</p>") +
        "</div>";
  }
  return section("plan", "Plan against measurement",
                 made.empty() ? "" : "<div class=\"two wide\">" + made + "</div>");
}

std::string differences(const Runs& runs) {
  std::vector<RunFolder> compared;
  std::vector<std::string> labels;
  std::vector<Cell> header = {{"key"}};
  for (size_t r = 0; r < runs.trained.size(); ++r) {
    if (runs.trained[r]->manifest.empty()) continue;
    compared.push_back(*runs.trained[r]);
    labels.push_back(runs.trained_labels[r]);
    header.push_back({cell_text(labels.back())});
  }
  Table table("Differences of the manifests", header);
  const Json differ = manifest_differences(compared);
  for (const auto& [key, values] : differ.items()) {
    std::vector<Cell> row = {{html_text(key), "mono"}};
    for (const Json& value : values) {
      row.push_back(
          {value.is_null() ? "<span class=\"soft\">none</span>" : cell_text(value_text(value)),
           value == values[0] ? "" : "other"});
    }
    table.add(row);
  }
  std::string bits;
  for (size_t r = 1; r < compared.size(); ++r) {
    const Divergence found = divergence_of(compared[0], compared[r]);
    if (found.common == 0) continue;
    bits += "<p>" + html_text(labels[r]) +
            (found.first ? " has other bits than " : " has the bits of ") + html_text(labels[0]) +
            (found.first ? " from step " + grouped(found.first) + " on."
                         : " up to step " + grouped(found.common) + ".") +
            "</p>";
  }
  return section("differences", "What the manifests differ in", table.html() + bits);
}

std::string fact_table(const std::string& name, const std::vector<Fact>& facts) {
  Table table(name, {});
  for (const Fact& fact : facts) {
    const bool digest = fact.value.size() == 64 &&
                        fact.value.find_first_not_of("0123456789abcdef") == fact.value.npos;
    table.add({{cell_text(fact.what)}, {cell_text(fact.value), digest ? "mono" : ""}});
  }
  return table.html();
}

std::string manifests(const Runs& runs) {
  std::string made;
  for (size_t i = 0; i < runs.all.size(); ++i) {
    const RunFolder& run = runs.all[i];
    std::string left, right;
    if (!run.manifest.empty())
      left = "<div><h3>Manifest</h3><pre class=\"toml\">" + html_toml(manifest_toml(run.manifest)) +
             "</pre></div>";
    const auto add = [&](const char* title, const std::vector<Fact>& facts) {
      if (!facts.empty())
        right += "<h3>" + std::string(title) + "</h3>" +
                 fact_table(title + (" of " + runs.labels[i]), facts);
    };
    add("Results", results_of(run));
    add("Machine, versions, digests", surroundings_of(run));
    if (left.empty() && right.empty()) continue;
    made += "<details" + std::string(runs.all.size() == 1 ? " open" : "") + "><summary>" +
            html_text(runs.labels[i]) + " <small>" +
            html_text(run.kind() + ", " + activity_name(run.activity)) +
            "</small></summary><div class=\"two\">" + left + "<div>" + right +
            "</div></div></details>";
  }
  return section("manifests", "Manifests, results, machines", made);
}

/// Base64 of the SHA-256 of a script, as a content security policy names it.
std::string script_digest(const std::string& script) {
  static constexpr char kLetters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string hex = sha256(script);
  std::string made;
  // 32 bytes: ten times three, and two more.
  for (size_t i = 0; i < 64; i += 6) {
    const std::string piece = hex.substr(i, 6);
    const auto bits = std::stoul(piece + std::string(6 - piece.size(), '0'), nullptr, 16);
    for (int shift = 18; shift >= 0; shift -= 6) made += kLetters[bits >> shift & 63];
  }
  made.back() = '=';
  return made;
}

std::string links(const std::string& body) {
  static constexpr std::pair<const char*, const char*> kSections[] = {
      {"overview", "Training"},  {"evaluations", "Evaluations"},
      {"curves", "Curves"},      {"answers", "Answers"},
      {"plan", "Plan"},          {"differences", "Differences"},
      {"manifests", "Manifests"}};
  std::string made;
  for (const auto& [id, title] : kSections) {
    if (body.find("<section id=\"" + std::string(id) + "\"") != body.npos)
      made += "<a href=\"#" + std::string(id) + "\">" + title + "</a>";
  }
  return "<nav aria-label=\"Sections\">" + made + "</nav>";
}

std::string subtitle(const Runs& runs) {
  if (runs.all.size() > 1 && runs.all[0].kind() != "pipeline") return "seen " + utc_now();
  std::string made;
  for (const std::string& part : headline(runs.all[0]))
    made += (made.empty() || part.empty() ? "" : " · ") + part;
  return made + (made.empty() ? "" : " · ") + "seen " + utc_now();
}

}  // namespace

std::string report_html(const std::vector<RunFolder>& folders) {
  const Runs runs(folders);
  const std::string script = report_script();
  const bool one = runs.all.size() == 1 || runs.all[0].kind() == "pipeline";
  const std::string title = one ? runs.all[0].name() : std::to_string(runs.all.size()) + " runs";
  const std::string body = overview(runs) + evaluations(runs) + curves(runs) +
                           section("answers", "Answers", answers_html(runs.all, runs.labels)) +
                           plans(runs) + differences(runs) + manifests(runs);
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
         "'unsafe-inline'; "
         "script-src 'sha256-" +
         script_digest(script) +
         "'; base-uri 'none'; form-action 'none'\">"
         "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>" +
         html_text(title) + "</title><style>" + report_style() +
         "</style></head><body><header><h1>" + html_text(title) + "</h1><p class=\"soft\">" +
         html_text(subtitle(runs)) + "</p>" + links(body) + "</header><main>" + body +
         "</main><script>" + script + "</script></body></html>\n";
}

}  // namespace attune
