// SPDX-License-Identifier: Apache-2.0
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

/// "flops_per_step_at_most" -> "flops per step at most".
std::string words(std::string key) {
  for (char& c : key) c = c == '_' ? ' ' : c;
  return key;
}

void add_rows(TextTable& table, const Json& plan, const std::string& prefix) {
  for (const auto& [key, value] : plan.items()) {
    const bool bytes = prefix == "memory: " || key.ends_with("_bytes");
    if (value.is_object()) {
      add_rows(table, value, words(key) + ": ");
    } else if (!value.is_number()) {
      table.add({prefix + words(key), value.is_string() ? value.get<std::string>() : value.dump()});
    } else if (bytes) {
      table.add({prefix + words(key), bytes_text(std::llround(value.get<double>()))});
    } else if (key.starts_with("flops")) {
      table.add({prefix + words(key), scaled(value.get<double>(), "FLOP")});
    } else {
      table.add({prefix + words(key),
                 value.is_number_integer() ? grouped(value.get<int64_t>()) : value.dump()});
    }
  }
}

/// A later stage trains what an earlier one writes: until that exists, the model that the pipeline
/// starts from tells its shape.
void stand_in(Json& run, const std::string& start) {
  if (!std::filesystem::exists(run["model"]["path"].get<std::string>()))
    run["model"]["path"] = start;
}

/// Prints, for each run that trains, the lines that make it fit.
void fit(const std::vector<Json>& runs, int64_t limit, const std::function<int64_t(const Json&)>& planned, std::ostream& out) {
  for (const Json& run : runs) {
    if (run.at("run").at("kind") != "train") continue;
    const std::string name = run["run"]["name"];
    const auto found = fit_memory(run, limit, planned);
    if (!found) {
      throw ExitError(Exit::kRunFailed, "run \"" + name + "\": nothing fits in " + bytes_text(limit) +
                                            ", not even one sequence of max_length in bfloat16 with activation checkpointing; lower train.max_length, or train "
                                            "an [adapter]");
    }
    out << "# " << name << ": planned " << bytes_text(found->planned) << " of " << bytes_text(limit) << "\n";
    if (found->half) out << "[model]\ndtype = \"bfloat16\"\n";
    out << "[train]\ntokens_per_batch = " << found->tokens_per_batch << "\n";
    if (found->checkpointing) out << "activation_checkpointing = true\n";
    out << "\n";
  }
}

int plan(const Arguments& arguments, Context& context) {
  CheckedRun checked = load_checked(arguments, context);
  const Json& resolved = checked.manifest.resolved;
  const bool pipeline = resolved.at("run").at("kind") == "pipeline";
  std::vector<Json> runs = pipeline ? stage_runs(resolved) : std::vector<Json>{resolved};
  Services services(*checked.installation, context.console);
  Json plans = Json::array();
  for (Json& run : runs) {
    stand_in(run, runs.front().at("model").at("path"));
    if (run.at("run").at("kind") != "train") continue;
    plans.push_back({{"name", run["run"]["name"]},
                     {"plan", checked.installation->engine().plan(run, services)}});
  }
  if (plans.empty())
    throw ExitError(Exit::kUsage, "nothing to plan: the manifest has no run of kind \"train\"");
  if (const auto memory = arguments.text("fit")) {
    fit(runs, parse_bytes(*memory), [&](const Json& run) { return checked.installation->engine().plan(run, services).at("memory").at("total").get<int64_t>(); },
        context.console.out);
    return 0;
  }
  if (arguments.flag("json")) {
    context.console.out << plans.dump(2) << "\n";
    return 0;
  }
  for (const Json& of : plans) {
    TextTable table({of["name"].get<std::string>(), "prediction"});
    add_rows(table, of["plan"], "");
    context.console.out << table.text() << "\n";
  }
  return 0;
}

}  // namespace

Command plan_command() {
  CommandSpec spec{"plan",
                   "Predict parameters, memory and arithmetic of a training run; reads no weights",
                   "attune plan configs/quickstart.toml",
                   {{"FILE", "The manifest (TOML)"}},
                   manifest_options()};
  spec.options.push_back({"json", "", "Print the prediction as JSON"});
  spec.options.push_back({"fit", "MEMORY", "Print the settings with which the run stays within MEMORY, such as \"8 GB\""});
  return {spec, &plan};
}

}  // namespace attune
