// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <filesystem>

#include "kernel/host/commands/command.h"
#include "kernel/host/run/layout.h"
#include "kernel/host/run/metric_words.h"
#include "kernel/host/run/run_facts.h"
#include "kernel/host/run/summary.h"
#include "kernel/host/services/progress.h"

namespace attune {
namespace {

void print(std::ostream& out, const char* title, const std::vector<Fact>& facts) {
  if (facts.empty()) return;
  size_t width = 0;
  for (const Fact& fact : facts) width = std::max(width, text_width(fact.what));
  out << "\n" << title << "\n";
  for (const Fact& fact : facts)
    out << "  " << fact.what << std::string(width - text_width(fact.what) + 2, ' ') << fact.value
        << "\n";
}

std::string state_text(const RunFolder& run) {
  std::string text = activity_name(run.activity);
  if (const auto step = run.metrics.step()) {
    text += ", step " + grouped(*step);
    if (const auto steps = run.steps()) text += " of " + grouped(*steps);
  }
  if (run.activity == Activity::kStopped)
    text += "; the same command goes on from the newest checkpoint";
  return text;
}

std::vector<Fact> newest_metrics(const RunFolder& run) {
  std::vector<Fact> facts;
  for (const std::string& name : ordered_metrics(run.metrics.names()))
    facts.push_back({metric_label(name), metric_text(name, *run.metrics.newest(name))});
  return facts;
}

/// The stages of a pipeline as its run printed them.
std::string stages_text(const RunFolder& run) {
  std::vector<StageOutcome> outcomes;
  for (const std::string& name : run.stages()) {
    const RunFolder stage = look_at_run((std::filesystem::path(run.path) / name).string(), 0);
    if (stage.finished())
      outcomes.push_back({name, stage.kind(), stage.path, false, under(stage.record, {"results"})});
  }
  return summary(outcomes);
}

int show(const Arguments& arguments, Context& context) {
  const RunFolder run = read_run(*arguments.text("RUN"));
  std::ostream& out = context.console.out;
  if (arguments.flag("json")) {
    Json metrics = Json::object();
    for (const std::string& name : run.metrics.names()) {
      const double value = *run.metrics.newest(name);
      metrics[name] = std::isfinite(value) ? Json(value) : Json();
    }
    out << Json{{"path", run.path},
                {"state", activity_name(run.activity)},
                {"step", run.metrics.step() ? Json(*run.metrics.step()) : Json()},
                {"steps", run.steps() ? Json(*run.steps()) : Json()},
                {"metrics", metrics},
                {"plan", run.plan},
                {"record", run.record}}
               .dump(2, ' ', false, Json::error_handler_t::replace)
        << "\n";
    return 0;
  }
  out << run.path << ": " << state_text(run) << "\n";
  print(out, "manifest", highlights(run));
  print(out, "newest metrics", newest_metrics(run));
  print(out, "results", results_of(run));
  print(out, "evaluations (mean with its 95 % interval)", evaluations_of(run));
  if (const auto rows = plan_and_measurement(run); !rows.empty()) {
    TextTable table({"", "planned", "measured", "share"});
    for (const Prediction& row : rows)
      table.add({row.what, row.planned, row.measured,
                 row.share > 0 ? number_text(row.share * 100, 3) + " %" : ""});
    out << "\nplan and measurement\n" << table.text();
  }
  if (const std::string text = stages_text(run); !text.empty()) out << "\n" << text;
  print(out, "machine, versions, digests", surroundings_of(run));
  if (run.metrics.unreadable() > 0)
    out << "\n"
        << run.metrics.unreadable() << " lines of metrics.jsonl are no rows and are left out\n";
  return 0;
}

}  // namespace

Command runs_show_command() {
  return {{"runs show",
           "One run: manifest, progress, newest metrics, results, the plan beside the measurement",
           "attune runs show runs/tiny/dpo",
           {{"RUN", "Folder of a run"}},
           {{"json", "", "Print JSON, with the whole record"}}},
          &show};
}

}  // namespace attune
