// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/manifest/resolver.h"

#include <algorithm>

#include "kernel/host/manifest/manifest_schema.h"
#include "kernel/host/manifest/nearest.h"

namespace attune::manifest {
namespace {

const OptionSchema& schema_of(std::string_view name) {
  return *find_option(manifest_schema(), name);
}

bool reads(const OptionSchema& schema, std::string_view kind) {
  return std::ranges::find(schema.runs, kind) != schema.runs.end();
}

// Tables that a stage may have as well.
bool is_run_table(const OptionSchema& schema) {
  return !schema.runs.empty() && schema.name != "stage";
}

bool is_kind(const std::string& kind) {
  const auto& choices = find_option(schema_of("run").members, "kind")->choices;
  return std::ranges::find(choices, kind) != choices.end();
}

bool is_stage_kind(const std::string& kind) { return kind != "pipeline" && is_kind(kind); }

void report_unused(const OptionSchema& schema, const Member& member, const std::string& who,
                   Report& report) {
  report.add(member.key,
             {title_of(schema, schema.name) + " is not used", who + " reads it",
              "only a run of kind " + join(schema.runs, " or ") + " reads it; take it out"});
}

Place kind_place(const Node& table, const Place& otherwise) {
  const Member* kind = table.find("kind");
  return kind ? kind->value.place : otherwise;
}

}  // namespace

Json Resolver::resolve(const Place& start) {
  Json out = {{"schema", 1}};
  Scope top{.title = "a manifest", .place = start};
  for (const char* name : {"run", "plugins"}) checker_.key(out, schema_of(name), root_, top);
  Scope partial = top;
  partial.partial = true;
  Json unused;
  checker_.key(unused, schema_of("env"), root_, partial);

  const Member* run = root_.find("run");
  const std::string kind = run ? run->value.text("kind") : "";
  if (run) check_name(run->value, true, checker_.report());
  if (run) top.place = kind_place(run->value, start);
  if (kind == "pipeline") {
    top.title = "a pipeline";
    pipeline(out, top);
  } else if (is_kind(kind)) {
    top.title = with_article(kind) + " run";
    tables(out, {root_, root_, kind, top});
  } else {
    check_defaults({}, partial);
  }

  std::vector<const OptionSchema*> known;
  for (const OptionSchema& schema : manifest_schema()) known.push_back(&schema);
  top.title = "a manifest";
  checker_.unknown(out, known, root_, top);
  return out;
}

// [model] and [generator] exclude each other; what a stage writes itself counts before a default.
std::string Resolver::other_answerer(const Run& run) {
  const Member* generator = run.root.find("generator");
  if (!generator || !reads(schema_of("generator"), run.kind)) return "generator";
  const bool own_model = run.own.find("model"), own_generator = run.own.find("generator");
  if (own_model && own_generator) {
    checker_.report().add(generator->key, {"a run has one who answers", "[model] is there as well",
                                           "take out [model] or [generator]"});
  }
  return own_model && !own_generator ? "generator" : "model";
}

void Resolver::tables(Json& out, const Run& run) {
  const std::string unused = other_answerer(run);
  for (const OptionSchema& schema : manifest_schema()) {
    if (schema.runs.empty()) continue;
    if (schema.name == unused && reads(schema, run.kind)) continue;
    if (reads(schema, run.kind)) {
      checker_.key(out, schema, run.root, run.scope);
    } else if (const Member* member = run.own.find(schema.name)) {
      if (schema.name != "stage" || &run.root == &run.own) {
        report_unused(schema, *member, "no " + run.kind + (run.scope.stages ? " stage" : " run"),
                      checker_.report());
      }
    }
  }
  check_quantize(out, run.root, run.kind, checker_.report());
  if (run.kind == "train") {
    reference(out, run);
    check_train(out, run.root, run.scope, checker_);
  }
  if (run.kind == "evaluate") check_evaluate(out, run.root, run.scope, checker_);
}

// The table says how to get what the algorithm asks for. Where it asks for nothing, a table would
// be ignored.
void Resolver::reference(Json& out, const Run& run) {
  const std::string prefix = run.scope.path.empty() ? "" : run.scope.path + ".";
  const ProviderInfo* algorithm = checker_.used(prefix + "algorithm");
  if (algorithm && algorithm->metadata.value("reference", Json()) == Json(false)) {
    if (const Member* member = run.own.find("reference")) {
      checker_.report().add(
          member->key,
          {"[reference] is not used",
           "the algorithm `" + algorithm->name + "` compares with no model", "take it out"});
    }
    out.erase("reference");
    std::erase_if(checker_.sources(), [&](const auto& source) {
      return source.first.starts_with(prefix + "reference.");
    });
    return;
  }
  Json& table = out["reference"];
  const bool known = out.contains("run") && out["run"].value("output", Json()).is_string();
  if (!known || !table.is_object() || table.value("cache", Json()) != Json("")) return;
  table["cache"] =
      (std::filesystem::path(out["run"]["output"].get<std::string>()) / "cache" / "reference")
          .string();
  const auto& secrets = checker_.secrets();
  if (std::ranges::find(secrets, "/run/output") != secrets.end()) {
    checker_.hide(run.scope.pointer + "/reference/cache");
  }
}

void Resolver::pipeline(Json& out, const Scope& top) {
  const OptionSchema& schema = schema_of("stage");
  const Member* written = root_.find("stage");
  if (!written || !written->value.is_list() || written->value.items.empty()) {
    Json unused;
    checker_.key(unused, schema, root_, top);
    return;
  }
  const auto& items = written->value.items;
  Stages stages;
  for (const Node& item : items) stages.names.push_back({item.text("name"), item.text("kind")});
  Scope partial = top;
  partial.partial = true;
  check_defaults(stages.names, partial);
  check_unique_stages(written->value, checker_.report());

  out["stage"] = Json::array();
  for (size_t i = 0; i < items.size(); ++i) {
    stages.current = i;
    const std::string index = std::to_string(i);
    Scope scope{.title = "[[stage]]",
                .path = "stage[" + index + "]",
                .pointer = "/stage/" + index,
                .place = items[i].place,
                .stages = &stages};
    if (items[i].is_table()) {
      out["stage"].push_back(stage(out, items[i], scope));
    } else {
      checker_.report().add(items[i].place, {"`stage` takes a list of tables",
                                             "this is " + std::string(describe(items[i].type)),
                                             "write [[stage]], with two pairs of brackets"});
    }
  }
}

Json Resolver::stage(const Json& out, const Node& written, const Scope& scope) {
  Json made = Json::object();
  const OptionSchema& schema = schema_of("stage");
  std::vector<const OptionSchema*> known;
  for (const OptionSchema& own : schema.members) {
    known.push_back(&own);
    checker_.key(made, own, written, scope);
  }
  for (const OptionSchema& table : manifest_schema()) {
    if (is_run_table(table)) known.push_back(&table);
  }
  check_name(written, false, checker_.report());
  made["run"] =
      stage_run(out.value("run", Json::object()), made.value("run", Json::object()), scope);

  const std::string kind = written.text("kind");
  if (is_stage_kind(kind)) {
    made["run"]["kind"] = kind;
    Scope inner = scope;
    inner.title = with_article(kind) + " stage";
    inner.place = kind_place(written, scope.place);
    const Node root = with_defaults(written);
    tables(made, {root, written, kind, inner});
  }
  checker_.unknown(made, known, written, scope);
  return made;
}

Json Resolver::stage_run(const Json& run, const Json& changed, const Scope& scope) {
  Json merged = run;
  for (const auto& [name, value] : run.items()) {
    const auto from = checker_.sources().find("run." + name);
    if (changed.contains(name) || from == checker_.sources().end()) continue;
    checker_.sources()[scope.path + ".run." + name] = Source(from->second);
    const auto& secrets = checker_.secrets();
    if (std::ranges::find(secrets, "/run/" + name) != secrets.end()) {
      checker_.hide(scope.pointer + "/run/" + name);
    }
  }
  if (changed.is_object()) merged.update(changed);
  return merged;
}

// The pipeline's tables below the stage's own. Options of another plugin than the stage uses stay
// behind.
Node Resolver::with_defaults(const Node& stage) const {
  Node merged;
  for (const OptionSchema& schema : manifest_schema()) {
    if (!is_run_table(schema)) continue;
    const Member* below = root_.find(schema.name);
    const Member* own = stage.find(schema.name);
    if (below) merged.put(schema.name, below->key, below->value);
    if (!own) continue;
    if (!below) {
      merged.put(schema.name, own->key, own->value);
      continue;
    }
    Member& member = *merged.find(schema.name);
    const std::string use = own->value.text("use");
    if (!schema.plugin.empty() && !use.empty() && use != below->value.text("use")) {
      std::erase_if(member.value.members,
                    [&](const Member& m) { return !find_option(schema.members, m.name); });
    }
    std::erase_if(member.value.members, [&](const Member& m) { return is_of_another(schema.name, use, m.name); });
    member.key = own->key;
    merge(member.value, own->value);
  }
  return merged;
}

// Tables at the top of a pipeline are incomplete by right, but not wrong, and some stage reads
// them.
void Resolver::check_defaults(const std::vector<StageName>& stages, const Scope& top) {
  for (const OptionSchema& schema : manifest_schema()) {
    const Member* member = root_.find(schema.name);
    if (!member || !is_run_table(schema)) continue;
    Json unused;
    checker_.key(unused, schema, root_, top);
    const bool known =
        std::ranges::all_of(stages, [](const auto& s) { return is_stage_kind(s.kind); });
    const bool read =
        std::ranges::any_of(stages, [&](const auto& s) { return reads(schema, s.kind); });
    if (!stages.empty() && known && !read) {
      report_unused(schema, *member, "no stage of this pipeline", checker_.report());
    }
  }
}

}  // namespace attune::manifest
