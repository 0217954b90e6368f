// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/summary.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>

#include "kernel/host/run/layout.h"
#include "kernel/host/services/files.h"
#include "kernel/host/services/progress.h"

namespace attune {
namespace {

constexpr size_t kAnswers = 3;
constexpr size_t kAnswerLines = 8;
constexpr size_t kWidth = 98;

std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

bool is_share(const Json& metric) { return metric.value("share", false); }

/// 0 where there is no such number: a run that was resumed after its last step has no speed.
double number_of(const Json& results, const char* key) {
  return results.contains(key) && results[key].is_number() ? results[key].get<double>() : 0.0;
}

std::string number_text(const Json& results, const char* key, const char* format) {
  return results.contains(key) && results[key].is_number()
             ? formatted(format, results[key].get<double>())
             : "";
}

std::vector<const StageOutcome*> of_kind(const std::vector<StageOutcome>& stages,
                                         const std::string& kind) {
  std::vector<const StageOutcome*> found;
  for (const StageOutcome& stage : stages) {
    if (stage.kind == kind) found.push_back(&stage);
  }
  return found;
}

/// The metric's estimate in a stage's results; null where the stage does not have it.
const Json* metric_of(const StageOutcome& stage, const std::string& evaluator,
                      const std::string& metric) {
  static const Json kNone = Json::object();
  const Json& evaluators = stage.results.contains("evaluate") ? stage.results["evaluate"] : kNone;
  if (!evaluators.contains(evaluator)) return nullptr;
  const Json& metrics = evaluators[evaluator].at("metrics");
  return metrics.contains(metric) ? &metrics[metric] : nullptr;
}

std::string evaluations(const std::vector<const StageOutcome*>& stages) {
  if (stages.empty()) return "";
  std::vector<std::string> header{"evaluation"};
  for (const StageOutcome* stage : stages) header.push_back(stage->name);
  if (stages.size() > 1) header.push_back("change");
  TextTable table(header);

  std::vector<std::pair<std::string, std::string>> rows;
  for (const StageOutcome* stage : stages) {
    if (!stage->results.contains("evaluate")) continue;
    for (const auto& [evaluator, result] : stage->results["evaluate"].items()) {
      for (const auto& [metric, ignored] : result.at("metrics").items()) {
        const std::pair row(evaluator, metric);
        if (std::find(rows.begin(), rows.end(), row) == rows.end()) rows.push_back(row);
      }
    }
  }
  for (const auto& [evaluator, metric] : rows) {
    std::vector<std::string> cells{evaluator == metric ? metric : evaluator + ": " + metric};
    std::vector<const Json*> values;
    for (const StageOutcome* stage : stages) {
      const Json* value = metric_of(*stage, evaluator, metric);
      cells.push_back(value ? estimate_text(*value) : "-");
      if (value) values.push_back(value);
    }
    if (values.size() > 1) cells.push_back(change_text(*values.front(), *values.back()));
    table.add(cells);
  }
  return table.empty() ? "" : table.text() + "  (mean with its 95 % interval)\n";
}

std::string training(const std::vector<const StageOutcome*>& stages) {
  TextTable table({"training", "steps", "loss", "tokens/s", "peak memory", "time"});
  for (const StageOutcome* stage : stages) {
    const Json& results = stage->results;
    const double speed = number_of(results, "tokens_per_s"),
                 memory = number_of(results, "peak_memory_bytes");
    table.add({stage->name + (stage->skipped ? " (unchanged)" : ""),
               number_text(results, "steps", "%.0f"), number_text(results, "loss", "%.4f"),
               speed > 0 ? grouped(std::llround(speed)) : "",
               memory > 0 ? bytes_text(std::llround(memory)) : "",
               clock_text(number_of(results, "seconds"))});
  }
  return table.empty() ? "" : table.text();
}

std::vector<Json> answers_of(const StageOutcome& stage) {
  std::vector<Json> rows;
  const std::filesystem::path file = std::filesystem::path(stage.folder) / "answers.jsonl";
  if (!std::filesystem::exists(file)) return rows;
  std::istringstream text(read_text(file));
  for (std::string line; std::getline(text, line);) {
    rows.push_back(Json::parse(line, nullptr, false));
    if (!rows.back().is_object()) rows.pop_back();
  }
  return rows;
}

/// Text to look at: no blank lines, no runs of spaces, and a word for an answer of nothing.
std::string squeezed(const std::string& text) {
  std::string made;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
    if (!space) {
      made += c;
    } else if (c == '\n') {
      made.erase(made.find_last_not_of(" \n") + 1);
      if (!made.empty()) made += '\n';
    } else if (!made.empty() && made.back() != ' ' && made.back() != '\n') {
      made += ' ';
    }
  }
  made.erase(made.find_last_not_of(" \n") + 1);
  return made.empty() ? "(blank)" : made;
}

std::string answers(const std::vector<const StageOutcome*>& stages) {
  if (stages.empty()) return "";
  std::map<std::string, Json> after;
  for (const Json& row : answers_of(*stages.back())) after[row.value("id", "")] = row;
  const bool pair = stages.size() > 1;
  std::string text;
  size_t shown = 0;
  for (const Json& row : answers_of(*stages.front())) {
    const auto found = after.find(row.value("id", ""));
    if (found == after.end() || shown++ == kAnswers) continue;
    if (shown > kAnswers) break;
    text += shown > 1 ? "\n" : "";
    for (const std::string& line :
         wrap_text("Prompt: " + squeezed(row.value("prompt", "")), kWidth, 4))
      text += "  " + line + "\n";
    if (pair) {
      text += side_by_side(stages.front()->name + ":", stages.back()->name + ":", 1);
      text += side_by_side(squeezed(row.value("text", "")),
                           squeezed(found->second.value("text", "")), kAnswerLines);
    } else {
      for (const std::string& line :
           wrap_text(squeezed(row.value("text", "")), kWidth, kAnswerLines))
        text += "  " + line + "\n";
    }
  }
  return text;
}

std::string final_folder(const std::vector<const StageOutcome*>& stages) {
  if (stages.empty()) return "";
  return "  Aligned model (Hugging Face layout): " + stages.back()->folder + "/final\n";
}

}  // namespace

std::string summary(const std::vector<StageOutcome>& stages) {
  std::string text;
  for (const std::string& part :
       {evaluations(of_kind(stages, "evaluate")), training(of_kind(stages, "train")),
        answers(of_kind(stages, "generate")), final_folder(of_kind(stages, "train"))}) {
    if (!part.empty()) text += (text.empty() ? "" : "\n") + part;
  }
  return text;
}

// Wilson's interval is lopsided and is given by its ends; the normal one by its half.
std::string estimate_text(const Json& metric) {
  const double value = metric.at("value"), low = metric.at("low"), high = metric.at("high");
  if (is_share(metric)) {
    return formatted("%.1f %%", value * 100) + formatted(" (%.0f-", low * 100) +
           formatted("%.0f)", high * 100);
  }
  return formatted("%.4g", value) + formatted(" ±%.2g", (high - low) / 2);
}

std::string change_text(const Json& before, const Json& after) {
  const double change = after.at("value").get<double>() - before.at("value").get<double>();
  return is_share(before) && is_share(after) ? formatted("%+.1f points", change * 100)
                                             : formatted("%+.4g", change);
}

std::string outcome_text(const StageOutcome& run) {
  std::string text = summary({run});
  if (run.kind == "generate") text += "\n  Answers: " + run.folder + "/answers.jsonl\n";
  if (run.kind == "evaluate") text += "\n  Results: " + run.folder + "/results.json\n";
  return text;
}

}  // namespace attune
