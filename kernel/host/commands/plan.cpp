// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>

#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/run/layout.h"
#include "kernel/host/run/plan_fit.h"
#include "kernel/host/run/runner.h"
#include "kernel/host/services/progress.h"
#include "kernel/host/services/services.h"

namespace attune {
namespace {

std::string scaled(double value, const char* unit) {
  static constexpr const char* kScales[] = {"", "k", "M", "G", "T", "P"};
  size_t scale = 0;
  while (value >= 1000 && scale + 1 < std::size(kScales)) value /= 1000, ++scale;
  char text[48];
  std::snprintf(text, sizeof text, "%.4g %s%s", value, kScales[scale], unit);
  return text;
}

/// "scored_rows_per_step" -> "scored rows per step".
std::string words(std::string key) {
  for (char& c : key) c = c == '_' ? ' ' : c;
  return key;
}

std::string duration(double seconds) {
  char text[48];
  if (seconds < 120)
    std::snprintf(text, sizeof text, "%.3g s", seconds);
  else
    std::snprintf(text, sizeof text, "%.0f:%02.0f:%02.0f h", std::floor(seconds / 3600),
                  std::floor(std::fmod(seconds, 3600) / 60), std::fmod(seconds, 60));
  return text;
}

/// The least and the most of a list of bytes.
std::string range(const Json& list) {
  if (list.empty()) return "";
  const auto [low, high] = std::minmax_element(list.begin(), list.end());
  const std::string text = bytes_text(*low) + (*low == *high ? "" : " to " + bytes_text(*high));
  return std::to_string(list.size()) + " x " + text;
}

std::string cell(const std::string& table, const std::string& key, const Json& value) {
  if (value.is_array()) return range(value);
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_number()) return value.dump();
  const double number = value.get<double>();
  if (table == "memory" || table == "disk") return bytes_text(std::llround(number));
  if (table == "time") return duration(number);
  if (key.starts_with("flops")) return scaled(number, "FLOP");
  return value.is_number_integer() ? grouped(value.get<int64_t>()) : scaled(number, "");
}

void add_rows(TextTable& table, const Json& plan, const std::string& of = "") {
  for (const auto& [key, value] : plan.items()) {
    if (value.is_object())
      add_rows(table, value, key);
    else if (key != "name" && key != "device" && !(of == "memory" && value == 0))
      table.add({(of.empty() ? "" : of + ": ") + words(key), cell(of, key, value)});
  }
}

/// A later stage trains what an earlier one writes: until that exists, the model that the pipeline
/// starts from tells its shape.
void stand_in(Json& run, const std::string& start) {
  if (!std::filesystem::exists(run["model"]["path"].get<std::string>()))
    run["model"]["path"] = start;
}

using Planned = std::function<Json(const Json& run)>;

/// Prints, for each run that trains, the lines that make it fit.
void fit(const std::vector<Json>& runs, int64_t limit, const Planned& planned, std::ostream& out) {
  const auto bytes = [&](const Json& run) {
    return planned(run).at("memory").at("peak").get<int64_t>();
  };
  for (const Json& run : runs) {
    if (run.at("run").at("kind") != "train") continue;
    const std::string name = run["run"]["name"];
    const int64_t layers = planned(run).at("layers");
    const auto found = fit_memory(run, layers, limit, bytes);
    if (!found) {
      throw ExitError(Exit::kRunFailed,
                      "run \"" + name + "\": nothing fits in " + bytes_text(limit) +
                          ", not even one sequence of max_length in bfloat16 with activation "
                          "checkpointing; lower train.max_length, or train an [adapter]");
    }
    out << "# " << name << ": planned " << bytes_text(found->planned) << " of "
        << bytes_text(limit) << "\n";
    if (found->half && run.at("model").value("dtype", "") != "bfloat16")
      out << "[model]\ndtype = \"bfloat16\"\n";
    out << "[train]\ntokens_per_batch = " << found->tokens_per_batch << "\n";
    if (found->recomputed > 0)
      out << "activation_checkpointing = " << found->recomputed << "  # of " << layers
          << " layers\n";
    out << "\n";
  }
}

int plan(const Arguments& arguments, Context& context) {
  CheckedRun checked = load_checked(arguments, context);
  const Json& resolved = checked.manifest.resolved;
  const bool pipeline = resolved.at("run").at("kind") == "pipeline";
  std::vector<Json> runs = pipeline ? stage_runs(resolved) : std::vector<Json>{resolved};
  Services services(*checked.installation, context.console);
  const Calibrate calibrate = arguments.flag("calibrate") ? Calibrate::kAgain
                              : arguments.text("fit")       ? Calibrate::kNever
                                                            : Calibrate::kIfMissing;
  const Planned planned = [&](const Json& run) {
    Engine& engine = checked.installation->engine();
    engine.threads(run.at("run").value("threads", 0));
    return engine.plan(run, services, calibrate);
  };
  for (Json& run : runs) stand_in(run, runs.front().at("model").at("path"));
  if (std::none_of(runs.begin(), runs.end(),
                   [](const Json& run) { return run.at("run").at("kind") == "train"; }))
    throw ExitError(Exit::kUsage, "nothing to plan: the manifest has no run of kind \"train\"");
  if (const auto memory = arguments.text("fit")) {
    fit(runs, parse_bytes(*memory), planned, context.console.out);
    return 0;
  }
  Json plans = Json::array();
  for (const Json& run : runs) {
    if (run.at("run").at("kind") == "train")
      plans.push_back({{"name", run["run"]["name"]}, {"plan", planned(run)}});
  }
  if (arguments.flag("json")) {
    context.console.out << plans.dump(2) << "\n";
    return 0;
  }
  for (const Json& of : plans) {
    TextTable table({of["name"].get<std::string>(), "prediction"});
    add_rows(table, of["plan"]);
    context.console.out << table.text() << "\n";
  }
  return 0;
}

}  // namespace

Command plan_command() {
  CommandSpec spec{"plan",
                   "Predict memory, time and disk of a training run; reads no weights",
                   "attune plan configs/quickstart.toml",
                   {{"FILE", "The manifest (TOML)"}},
                   manifest_options()};
  spec.options.push_back({"json", "", "Print the prediction as JSON"});
  spec.options.push_back({"fit", "MEMORY", "Print the settings with which the run stays within MEMORY, such as \"8 GB\""});
  spec.options.push_back({"calibrate", "", "Measure this machine again; else what was measured once for the model serves"});
  return {spec, &plan};
}

}  // namespace attune
