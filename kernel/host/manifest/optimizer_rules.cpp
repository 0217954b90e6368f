// SPDX-License-Identifier: Apache-2.0
// Which options each optimizer and each schedule honours, and what goes together with them.
#include <algorithm>
#include <map>

#include "kernel/host/manifest/nearest.h"
#include "kernel/host/manifest/resolver.h"

namespace attune::manifest {
namespace {

/// Options of one `use` besides those that all have, with defaults; null: the default is the table's.
using Honoured = std::map<std::string, Json>;

const std::map<std::string, Honoured>& optimizers() {
  static const std::map<std::string, Honoured> all = {
      {"adamw", {{"betas", nullptr}, {"eps", nullptr}, {"states", "float32"}}},
      {"sgd", {{"momentum", 0.0}, {"nesterov", false}, {"decay", "coupled"}}},
      {"muon", {{"betas", nullptr}, {"eps", nullptr}, {"momentum", 0.95}, {"nesterov", true}, {"scale", "original"}, {"newton_schulz", "float32"}, {"adamw_rate", 1.0}}}};
  return all;
}

const std::map<std::string, Honoured>& schedules() {
  static const std::map<std::string, Honoured> all = {
      {"constant", {}},
      {"linear", {{"min_ratio", nullptr}}},
      {"cosine", {{"min_ratio", nullptr}}},
      {"wsd", {{"min_ratio", nullptr}, {"decay_steps", 0}, {"decay", "linear"}}}};
  return all;
}

/// "" where a mistake left something else.
std::string text_of(const Json& table, const char* key) {
  const Json found = table.value(key, Json());
  return found.is_string() ? found.get<std::string>() : "";
}

void honour(Json& out, const Node& root, const std::string& table, const std::map<std::string, Honoured>& all, Report& report) {
  if (!out.contains(table) || !out[table].is_object() || !all.contains(text_of(out[table], "use"))) return;
  Json& options = out[table];
  const std::string use = options["use"];
  const Honoured& ours = all.at(use);
  std::map<std::string, std::vector<std::string>> whose;
  for (const auto& [name, honoured] : all) {
    for (const auto& [option, value] : honoured) whose[option].push_back(name);
  }
  for (const auto& [option, names] : whose) {
    if (ours.contains(option)) {
      if (const Json& value = ours.at(option); !value.is_null() && !options.contains(option)) options[option] = value;
      continue;
    }
    options.erase(option);
    if (const Member* member = root.find({table, option}))
      report.add(member->key, {"`" + option + "` has no meaning for `" + use + "`", "it is an option of " + join(names, " and "), "take it out"});
  }
}

bool is_true(const Json& table, const char* key) { return table.value(key, Json()) == Json(true); }

void check_in_backward(const Json& out, const Node& root, Report& report) {
  const Member* in_backward = root.find({"optimizer", "in_backward"});
  if (!in_backward || !is_true(out["optimizer"], "in_backward") || !out.contains("train")) return;
  const Json clip = out["train"].value("clip", Json()), step = out["train"].value("tokens_per_step", Json()), batch = out["train"].value("tokens_per_batch", Json());
  if (clip.is_number() && clip.get<double>() > 0) {
    report.add(in_backward->key, {"`in_backward` cannot clip", "train.clip is " + clip.dump() + ", which needs the norm of the whole gradient before any update",
                                  "set clip = 0.0 in [train], or take `in_backward` out"});
  }
  if (text_of(out["train"], "nonfinite") == "skip") {
    report.add(in_backward->key, {"`in_backward` cannot leave out a step", "train.nonfinite is \"skip\", but updates are made before the whole gradient is known",
                                  "set nonfinite = \"stop\" in [train], or take `in_backward` out"});
  }
  if (step.is_number_integer() && batch.is_number_integer() && step.get<int64_t>() > batch.get<int64_t>()) {
    report.add(in_backward->key, {"`in_backward` needs steps of one batch", "tokens_per_step is " + step.dump() + ", tokens_per_batch " + batch.dump(),
                                  "raise tokens_per_batch to tokens_per_step"});
  }
}

}  // namespace

bool is_of_another(const std::string& table, const std::string& use, const std::string& option) {
  if (table != "optimizer" && table != "schedule") return false;
  const auto& all = table == "optimizer" ? optimizers() : schedules();
  const auto ours = all.find(use);
  return ours != all.end() && !ours->second.contains(option) &&
         std::ranges::any_of(all, [&](const auto& one) { return one.second.contains(option); });
}

void check_optimizer(Json& out, const Node& root, Report& report) {
  honour(out, root, "optimizer", optimizers(), report);
  honour(out, root, "schedule", schedules(), report);
  if (!out.contains("optimizer") || !out["optimizer"].is_object()) return;
  const Json& optimizer = out["optimizer"];
  const std::string use = text_of(optimizer, "use");
  if (const Member* nesterov = root.find({"optimizer", "nesterov"}); nesterov && is_true(optimizer, "nesterov") && optimizer.value("momentum", Json()) == Json(0.0))
    report.add(nesterov->key, {"`nesterov` looks ahead along a momentum", "`momentum` is 0", "for example momentum = 0.9"});
  const bool cuda = out.contains("run") && text_of(out["run"], "device") == "cuda";
  if (const Member* states = root.find({"optimizer", "states"}); states && cuda && text_of(optimizer, "states") == "int8")
    report.add(states->value.place, {"states in int8 are computed on the CPU", "[run] has device = \"cuda\"", "set states = \"float32\""});
  const Member* adapter = root.find("adapter");
  if (const Member* member = root.find({"optimizer", "use"}); member && use == "muon" && adapter)
    report.add(member->value.place, {"muon moves whole hidden matrices", "[adapter] leaves none of them to train", "use adamw, or take [adapter] out"});
  check_in_backward(out, root, report);
}

}  // namespace attune::manifest
