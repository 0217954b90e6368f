// SPDX-License-Identifier: Apache-2.0
// Rules that span several keys.
#include <algorithm>
#include <map>

#include "kernel/host/manifest/nearest.h"
#include "kernel/host/manifest/resolver.h"

namespace attune::manifest {
namespace {

// Whether a number was given and is not zero. A value that was refused counts as given.
bool given(const Json& table, const char* name) {
  const Json value = table.value(name, Json());
  return !value.is_number() || value.get<double>() != 0;
}

void exactly_one(const Json& out, const Node& root, const std::vector<std::string>& names,
                 const std::string& example, Report& report) {
  const Member* table = root.find("train");
  if (!table || !table->value.is_table() || !out.contains("train")) return;
  std::vector<const Member*> there;
  size_t count = 0;
  std::string list;
  for (const std::string& name : names) {
    list += (list.empty() ? "`" : name == names.back() ? " and `" : ", `") + name + "`";
    if (!given(out["train"], name.c_str())) continue;
    ++count;
    if (const Member* member = table->value.find(name)) there.push_back(member);
  }
  if (count == 0) {
    report.add(table->key, {"[train] needs one of " + list,
                            names.size() == 2 ? "neither is given" : "none is given",
                            "for example " + example});
  }
  if (there.size() < 2) return;
  const Member* last = *std::ranges::max_element(
      there, {}, [](const Member* m) { return std::pair(m->key.line, m->key.column); });
  report.add(last->key, {"[train] takes one of " + list,
                         there.size() == 2 ? "both are given" : "all are given",
                         "leave one"});
}

// Entries of a mixture are repeated at their own rates: all have weights, and an epoch means nothing.
void check_mixture(const Json& out, const Node& root, Report& report) {
  const Member* list = root.find({"data", "train"});
  if (!list || !list->value.is_list()) return;
  const Member* weighted = nullptr;
  const Node* bare = nullptr;
  for (const Node& entry : list->value.items) {
    const Member* weight = entry.find("weight");
    const bool has = weight && weight->value.scalar.is_number() && weight->value.scalar.get<double>() > 0;
    if (has && !weighted) weighted = weight;
    if (!has) bare = &entry;
    if (const Member* stream = entry.find("stream");
        stream && stream->value.scalar == true &&
        (out["data"].value("duplicates", "") == "drop" || !out["data"].value("heldout", Json::array()).empty())) {
      report.add(stream->key, {"a stream cannot be cleaned of duplicates or held-out items", "its rows are not read beforehand",
                               "take out `stream`, or `duplicates` and `heldout`"});
    }
  }
  if (!weighted) return;
  if (bare) {
    report.add(bare->place, {"this entry of [[data.train]] has no weight, another has", "expected weight = ... above 0", "give every entry a weight, or none"});
  }
  if (const Member* epochs = root.find({"train", "epochs"})) {
    report.add(epochs->key, {"`epochs` has no meaning in a mixture with weights", "its entries are repeated at different rates",
                             "write `steps` or `tokens`"});
  }
}

void check_kept(const Json& out, const Node& root, Report& report) {
  const Member* kept = root.find({"train", "checkpoint", "keep_every"});
  if (!kept || !kept->value.scalar.is_number_integer() || kept->value.scalar == 0) return;
  const int64_t every = out["train"]["checkpoint"].value("every", int64_t(0));
  if (every > 0 && kept->value.scalar.get<int64_t>() % every == 0) return;
  report.add(kept->key, {"`keep_every` keeps checkpoints that are written", "`every` is " + std::to_string(every),
                         "make keep_every a multiple of every"});
}

// The best checkpoints are told by a metric that is there when one is written.
void check_best(const Json& out, const Node& root, const Scope& scope, Report& report) {
  const Member* keep = root.find({"train", "checkpoint", "keep_best"});
  if (!keep || !keep->value.scalar.is_number_integer() || keep->value.scalar == 0) return;
  const Json& train = out["train"];
  const std::string best = train["checkpoint"].value("best", "");
  if (best.empty()) {
    report.add(keep->key, {"`keep_best` keeps the best checkpoints by a metric", "`best` names none", "for example best = \"eval/loss\""});
    return;
  }
  const int64_t every = train["checkpoint"].value("every", int64_t(0));
  const int64_t evaluate = train.value("evaluate", Json::object()).value("every", int64_t(0));
  if (!best.starts_with("eval/") || scope.partial || (evaluate > 0 && every % evaluate == 0)) return;
  const Member* at = root.find({"train", "checkpoint", "best"});
  report.add(at ? at->key : keep->key,
             {"`" + best + "` must be known at each checkpoint",
              evaluate == 0 ? "train.evaluate.every is 0: never" : "checkpoint.every is " + std::to_string(every) + ", evaluate.every " + std::to_string(evaluate),
              "make checkpoint.every a multiple of evaluate.every"});
}

void check_betas(const Json& out, const Node& root, Report& report) {
  const Member* betas = root.find({"optimizer", "betas"});
  if (!betas || !betas->value.is_list() || !out["optimizer"].contains("betas") || out["optimizer"]["betas"].size() == 2) return;
  report.add(betas->value.place,
             {"`betas` takes two numbers", "this has " + std::to_string(betas->value.items.size()),
              "for example betas = [0.9, 0.999]"});
}

// One word or a list of them.
std::vector<std::string> words(const Json& metadata, const char* key) {
  const Json value = metadata.value(key, Json());
  if (value.is_string()) return {value.get<std::string>()};
  return value.is_array() ? value.get<std::vector<std::string>>() : std::vector<std::string>();
}

bool makes_one_of(const ProviderInfo& dataset, const std::vector<std::string>& needed) {
  return std::ranges::any_of(words(dataset.metadata, "samples"), [&](const std::string& made) {
    return std::ranges::find(needed, made) != needed.end();
  });
}

// `consumer` says in its metadata which samples it takes, the dataset at `path` which it makes.
void check_samples(const ProviderInfo* consumer, const Node& data, const std::string& path,
                   Checker& checker) {
  const ProviderInfo* dataset = checker.used(path);
  const Member* use = data.find("use");
  if (!consumer || !dataset || !use) return;
  const auto needed = words(consumer->metadata, "sample"), made = words(dataset->metadata, "samples");
  if (needed.empty() || !dataset->metadata.contains("samples") || makes_one_of(*dataset, needed)) return;
  std::vector<std::string> others;
  for (const ProviderInfo& other : checker.providers("dataset/1")) {
    if (makes_one_of(other, needed)) others.push_back(other.name);
  }
  checker.report().add(
      use->value.place,
      {"`" + consumer->name + "` needs " + join(needed, " or ") + " samples, which the dataset `" +
           dataset->name + "` does not make",
       "makes " + (made.empty() ? "none" : join(made)),
       others.empty() ? "no dataset makes them" : "datasets that do: " + quoted(others)});
}

bool is_name_character(char c, bool dots) {
  const auto byte = static_cast<unsigned char>(c);
  return std::isalnum(byte) || byte >= 0x80 || c == '_' || c == '-' || (dots && c == '.');
}

}  // namespace

void check_train(Json& out, const Node& root, const Scope& scope, Checker& checker) {
  Report& report = checker.report();
  check_optimizer(out, root, report);
  exactly_one(out, root, {"steps", "epochs", "tokens"}, "steps = 200", report);
  exactly_one(out, root, {"samples_per_step", "tokens_per_step"}, "tokens_per_step = 8192", report);
  check_mixture(out, root, report);
  check_betas(out, root, report);
  check_kept(out, root, report);
  check_best(out, root, scope, report);
  const Member* every = root.find({"train", "evaluate", "every"});
  if (every && every->value.scalar.is_number_integer() && every->value.scalar.get<int64_t>() > 0 && !root.find({"data", "eval"}) && !scope.partial) {
    report.add(every->value.place, {"`every` asks for evaluations", "there is no [[data.eval]] to evaluate on", "add [[data.eval]], or take it out"});
  }
  const std::string prefix = scope.path.empty() ? "" : scope.path + ".";
  for (const char* split : {"train", "eval"}) {
    const Member* list = root.find({"data", split});
    for (size_t i = 0; list && i < list->value.items.size(); ++i) {
      check_samples(checker.used(prefix + "algorithm"), list->value.items[i],
                    prefix + "data." + split + "[" + std::to_string(i) + "]", checker);
    }
  }
}

void check_quantize(Json& out, const Node& root, const std::string& kind, Report& report) {
  const Member* quantize = root.find({"model", "quantize"});
  const Member* twice = root.find({"model", "double_quant"});
  if (!quantize && twice) {
    report.add(twice->key, {"`double_quant` is for 4-bit weights", "`quantize` is not given", "add quantize = \"nf4\", or take it out"});
  }
  if (!quantize || !out.contains("model")) return;
  if (!out["model"].contains("double_quant")) out["model"]["double_quant"] = true;
  if (out.contains("run") && out["run"].value("device", Json()) == Json("cuda"))
    report.add(quantize->value.place, {"4-bit weights are read on the CPU", "[run] has device = \"cuda\"", "take out `quantize`"});
  if (kind != "train" || !root.find("adapter")) {
    report.add(quantize->key, {"4-bit weights cannot be trained, only adapters beside them",
                               kind == "train" ? "there is no [adapter]" : with_article(kind) + " run has no [adapter]",
                               kind == "train" ? "add [adapter], or take out `quantize`" : "take out `quantize`"});
  }
}

void check_evaluate(Json& out, const Node& root, const Scope& scope, Checker& checker) {
  const Member* list = root.find("evaluate");
  if (!list || !list->value.is_list()) return;
  const std::string prefix = scope.path.empty() ? "" : scope.path + ".";
  std::map<std::string, size_t> seen;
  for (size_t i = 0; i < list->value.items.size(); ++i) {
    const Node& entry = list->value.items[i];
    const std::string path = prefix + "evaluate[" + std::to_string(i) + "]";
    if (const Member* data = entry.find("data")) {
      check_samples(checker.used(path), data->value, path + ".data", checker);
    }
    std::string name = entry.text("name");
    const std::string use = entry.text("use");
    if (name.empty()) name = use.substr(use.find(':') + 1);
    if (name.empty()) continue;
    out["evaluate"][i]["name"] = name;
    const auto [first, fresh] = seen.try_emplace(name, i);
    if (fresh) continue;
    const Member* at = entry.find(entry.text("name").empty() ? "use" : "name");
    checker.report().add(
        at->value.place,
        {"two evaluations are named `" + shown(from_json(name)) + "`",
         "the other is entry " + std::to_string(first->second + 1) + " of [[evaluate]]",
         "give this one a `name`"});
  }
}

void check_name(const Node& table, bool dots, Report& report) {
  const Member* member = table.find("name");
  if (!member || !member->value.is_string()) return;
  const auto name = member->value.scalar.get<std::string>();
  const bool simple = std::ranges::all_of(name, [&](char c) { return is_name_character(c, dots); });
  if (simple && !name.empty() && name[0] != '.' && name[0] != '-') return;
  report.add(member->value.place,
             {"`" + shown(member->value) + "` cannot name a folder",
              dots ? "expected a simple file name" : "expected a simple file name without dots",
              std::string(dots ? "use letters, digits, `_`, `-` and `.`"
                               : "use letters, digits, `_` and `-`") +
                  "; start with a letter, a digit or `_`"});
}

void check_unique_stages(const Node& stages, Report& report) {
  std::map<std::string, size_t> seen;
  for (size_t i = 0; i < stages.items.size(); ++i) {
    const Member* name = stages.items[i].find("name");
    if (!name || !name->value.is_string()) continue;
    const auto [first, fresh] = seen.try_emplace(name->value.scalar.get<std::string>(), i);
    if (fresh) continue;
    report.add(name->value.place, {"two stages are named `" + shown(name->value) + "`",
                                   "the other is stage " + std::to_string(first->second + 1),
                                   "give each its own name"});
  }
}

}  // namespace attune::manifest
