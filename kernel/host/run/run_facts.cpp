// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/run_facts.h"

#include <cmath>
#include <filesystem>

#include "kernel/host/run/layout.h"
#include "kernel/host/run/metric_words.h"
#include "kernel/host/run/summary.h"
#include "kernel/host/services/progress.h"

namespace attune {
namespace {

std::string words(std::string key) {
  for (char& c : key) c = c == '_' ? ' ' : c;
  return key;
}

std::string text_at(const Json& root, std::initializer_list<const char*> keys) {
  return value_text(under(root, keys));
}

double number_at(const Json& root, std::initializer_list<const char*> keys) {
  const Json& value = under(root, keys);
  return value.is_number() ? value.get<double>() : 0;
}

void add(std::vector<Fact>& facts, const std::string& what, const std::string& value) {
  if (!value.empty()) facts.push_back({what, value});
}

/// "a, b": the parts that there are.
std::string listed(std::initializer_list<std::string> parts) {
  std::string made;
  for (const std::string& part : parts) {
    if (!part.empty()) made += (made.empty() ? "" : ", ") + part;
  }
  return made;
}

/// Empty where there is none: a length of 0 is not asked for.
std::string with_unit(const std::string& value, const char* unit) {
  return value.empty() || value == "0" ? "" : value + " " + unit;
}

/// The mean of the finite values of a column; 0 where there is none.
double mean_of(const MetricLog& metrics, const char* name) {
  double sum = 0, n = 0;
  for (const MetricLog::Point& point : metrics.curve(name)) {
    if (std::isfinite(point.value)) sum += point.value, ++n;
  }
  return n > 0 ? sum / n : 0;
}

std::string file_name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

std::string data_text(const Json& entries) {
  std::string made;
  if (!entries.is_array()) return made;
  for (const Json& entry : entries) {
    const std::string path = text_at(entry, {"path"}), use = text_at(entry, {"use"});
    made += (made.empty() ? "" : "; ") +
            listed({path.empty() ? use : path, path.empty() ? "" : "as " + use});
  }
  return made;
}

std::string result_text(const std::string& key, const Json& value) {
  if (!value.is_number()) return value_text(value);
  const double number = value.get<double>();
  if (key.ends_with("_bytes")) return bytes_text(std::llround(number));
  if (key.ends_with("seconds")) return clock_text(number);
  if (value.is_number_integer()) return grouped(value.get<int64_t>());
  return metric_text(key, number);
}

}  // namespace

std::vector<std::string> headline(const RunFolder& run) {
  const Json& manifest = run.manifest;
  const std::string path = text_at(manifest, {"model", "path"});
  std::string model = file_name(path);
  if (model == "final") model = file_name(std::filesystem::path(path).parent_path().string());
  return {run.kind(), text_at(manifest, {"algorithm", "use"}), model.empty() ? "" : "on " + model,
          text_at(manifest, {"adapter", "use"}), text_at(manifest, {"run", "device"})};
}

std::vector<Fact> highlights(const RunFolder& run) {
  const Json& m = run.manifest;
  std::vector<Fact> facts;
  add(facts, "kind", run.kind());
  add(facts, "model",
      listed({text_at(m, {"model", "path"}), text_at(m, {"model", "dtype"}),
              text_at(m, {"model", "init"}) == "random" ? "random weights" : ""}));
  std::string algorithm = text_at(m, {"algorithm", "use"});
  for (const char* key : {"loss", "beta", "profile"}) {
    if (const std::string value = text_at(m, {"algorithm", key}); !value.empty())
      algorithm += std::string(", ") + key + " " + value;
  }
  add(facts, "algorithm", algorithm);
  if (const std::string use = text_at(m, {"adapter", "use"}); !use.empty())
    add(facts, "adapter", use + " of rank " + text_at(m, {"adapter", "rank"}));
  add(facts, "data", data_text(under(m, {"data", "train"})));
  add(facts, "validation data", data_text(under(m, {"data", "eval"})));
  if (under(m, {"optimizer"}).is_object()) {
    add(facts, "optimizer",
        listed({text_at(m, {"optimizer", "use"}),
                "learning rate " + text_at(m, {"optimizer", "learning_rate"}),
                text_at(m, {"schedule", "use"}) + " schedule"}));
  }
  if (under(m, {"train"}).is_object()) {
    add(facts, "length",
        listed({with_unit(text_at(m, {"train", "steps"}), "steps"),
                with_unit(text_at(m, {"train", "epochs"}), "epochs"),
                with_unit(text_at(m, {"train", "samples_per_step"}), "samples a step"),
                with_unit(text_at(m, {"train", "tokens_per_step"}), "tokens a step")}));
  }
  add(facts, "seed", text_at(m, {"run", "seed"}));
  return facts;
}

std::vector<Fact> results_of(const RunFolder& run) {
  std::vector<Fact> facts;
  const Json& results = under(run.record, {"results"});
  if (!results.is_object() || run.kind() == "pipeline") return facts;
  for (const auto& [key, value] : results.items()) {
    if (!value.is_structured() && !key.starts_with("planned_"))
      add(facts, words(key), result_text(key, value));
  }
  return facts;
}

std::vector<Fact> evaluations_of(const RunFolder& run) {
  std::vector<Fact> facts;
  for (const auto& [evaluator, result] : under(run.record, {"results", "evaluate"}).items()) {
    for (const auto& [metric, estimate] : under(result, {"metrics"}).items())
      facts.push_back(
          {evaluator == metric ? metric : evaluator + ": " + metric, estimate_text(estimate)});
  }
  return facts;
}

std::vector<Prediction> plan_and_measurement(const RunFolder& run) {
  const Json& plan = run.plan;
  if (plan.empty()) return {};
  const auto planned = [&](const char* table, const char* key) {
    return number_at(plan, {table, key});
  };
  const double step = mean_of(run.metrics, "seconds"), planned_step = planned("time", "step_s"),
               flops = planned("work", "flops_per_step");
  const double peak = std::max(number_at(run.record, {"results", "peak_memory_bytes"}),
                               run.metrics.newest("memory_mb").value_or(0) * 1e6);
  std::vector<Prediction> rows;
  const auto row = [&](const std::string& what, double expected, double measured,
                       const auto& text) {
    if (!(expected > 0) && !(measured > 0)) return;
    rows.push_back({what, expected > 0 ? text(expected) : "", measured > 0 ? text(measured) : "",
                    expected > 0 && measured > 0 ? measured / expected : 0});
  };
  const auto bytes = [](double value) { return bytes_text(std::llround(value)); };
  const auto count = [](double value) { return grouped(std::llround(value)); };
  const auto seconds = [](double value) { return number_text(value, 3) + " s"; };
  row("peak memory", planned("memory", "peak"), peak, bytes);
  row("tokens a step", planned("work", "rows_per_step"), mean_of(run.metrics, "tokens"), count);
  row("scored tokens a step", planned("work", "scored_rows_per_step"),
      mean_of(run.metrics, "scored_tokens"), count);
  row("time of a step", planned_step, step, seconds);
  row("time of the run", planned("time", "total_s"), number_at(run.record, {"results", "seconds"}),
      clock_text);
  row("arithmetic a second", planned_step > 0 ? flops / planned_step : 0,
      step > 0 ? flops / step : 0, [](double value) { return scaled_text(value, "FLOP/s"); });
  return rows;
}

std::vector<std::pair<std::string, double>> planned_memory(const RunFolder& run) {
  std::vector<std::pair<std::string, double>> parts;
  for (const auto& [part, bytes] : under(run.plan, {"memory"}).items()) {
    if (part != "peak" && bytes.is_number() && bytes.get<double>() > 0)
      parts.emplace_back(words(part), bytes.get<double>());
  }
  return parts;
}

std::vector<Fact> surroundings_of(const RunFolder& run) {
  const Json& record = run.record;
  std::vector<Fact> facts;
  add(facts, "begun", text_at(record, {"start"}));
  add(facts, "ended", text_at(record, {"end"}));
  add(facts, "command line", text_at(record, {"command_line"}));
  add(facts, "processor", text_at(record, {"hardware", "cpu"}));
  add(facts, "cores", text_at(record, {"hardware", "cores"}));
  if (const double memory = number_at(record, {"hardware", "memory_bytes"}); memory > 0)
    add(facts, "memory", bytes_text(std::llround(memory)));
  add(facts, "device", text_at(record, {"device"}));
  add(facts, "attune", text_at(record, {"software", "attune"}));
  add(facts, "built with", text_at(record, {"software", "fingerprint"}));
  add(facts, "host SHA-256", text_at(record, {"software", "host_sha256"}));
  add(facts, "engine SHA-256", text_at(record, {"software", "engine_sha256"}));
  for (const auto& [path, digest] : under(record, {"notes", "inputs"}).items())
    add(facts, path, value_text(digest));
  for (const Json& plugin : under(record, {"software", "plugins"}))
    add(facts, listed({text_at(plugin, {"id"}), text_at(plugin, {"version"})}),
        text_at(plugin, {"sha256"}));
  return facts;
}

}  // namespace attune
