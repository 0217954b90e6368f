// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/validate/subject.h"

#include <dlfcn.h>

#include <chrono>
#include <filesystem>
#include <set>

#include "kernel/host/plugins/fp_mode.h"
#include "kernel/host/validate/child.h"
#include "kernel/host/validate/forms.h"
#include "kernel/host/validate/kind.h"

namespace attune::validate {
namespace {

namespace fs = std::filesystem;

/// "" where the code is what the note says.
std::string difference(const attune_entry* entry, const PluginInfo& plugin) {
  if (!entry) return "attune_plugin_v1 returned NULL";
  if (entry->size < ATTUNE_END(attune_entry, factories) || !entry->id || !entry->fingerprint || !entry->factories)
    return "the entry lacks members: its size is " + std::to_string(entry->size);
  if (entry->id != plugin.id) return "the code's id is \"" + std::string(entry->id) + "\", the note's \"" + plugin.id + "\"";
  if (entry->abi_major != plugin.abi_major || entry->abi_minor != plugin.abi_minor) return "the code's ABI is not the note's";
  if (entry->fingerprint != plugin.fingerprint) return "the code's fingerprint is \"" + std::string(entry->fingerprint) + "\"";
  std::set<std::string> code, note;
  for (auto factory = entry->factories; *factory; ++factory) {
    const attune_factory& one = **factory;
    if (one.size < ATTUNE_END(attune_factory, create) || !one.kind || !one.name || !one.create) return "a factory lacks members";
    code.insert(std::string(one.kind) + " \"" + one.name + "\"");
  }
  for (const Provided& one : plugin.provides) note.insert(one.kind + " \"" + one.name + "\"");
  for (const std::string& one : code) {
    if (!note.contains(one)) return one + " is in the code and not in plugin.toml";
  }
  for (const std::string& one : note) {
    if (!code.contains(one)) return one + " is in plugin.toml and not in the code";
  }
  return "";
}

/// A value of an option that must be given and is not.
Json made_up(const OptionSchema& schema, const Subject& subject) {
  if (schema.type == "bool") return false;
  if (schema.type == "int" || schema.type == "count") return static_cast<int64_t>(schema.min.value_or(schema.above ? *schema.above + 1 : 1));
  if (schema.type == "float") return schema.min.value_or(schema.above ? *schema.above + 1 : 0.5);
  if (schema.type == "enum") return schema.choices.front();
  if (schema.type == "path") return subject.out();
  if (schema.type == "list") return Json::array();
  if (schema.type == "table") return Json::object();
  return "x";
}

}  // namespace

Specimen::Specimen(const PluginInfo& plugin) {
  doing("loading");
  const uint64_t mode = fp_mode();
  const auto begin = std::chrono::steady_clock::now();
  void* const library = dlopen(plugin.file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw Failed(std::string("it cannot be loaded: ") + dlerror());
  if (fp_mode() != mode) throw Failed("loading it changes the floating-point mode of the process: link it without -ffast-math");
  function_ = reinterpret_cast<const attune_entry* (*)()>(dlsym(library, "attune_plugin_v1"));
  if (!function_) throw Failed("it exports no attune_plugin_v1");
  doing("attune_plugin_v1");
  entry_ = function_();
  if (const std::string found = difference(entry_, plugin); !found.empty()) throw Failed(found);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  if (took.count() > 1)
    throw Failed("loading it takes " + std::to_string(took.count()) + " s; at most 1 s is expected. Do the work in `create`");
}

namespace {
bool initialised = false;
}

void Specimen::init(Witness& witness) const {
  if (initialised || !entry_->init) return;
  initialised = true;
  const Answer answer = witness.call("init", [&] { return entry_->init(witness.host()); });
  if (!answer.ok()) throw Failed("init failed with code " + std::to_string(answer.code) + ": " + answer.why);
}

void Specimen::deinit() const {
  doing("deinit");
  initialised = false;
  if (entry_->deinit) entry_->deinit();
}

Stage::Stage(const Subject& subject, Witness::Kind kind) : witness(*new Witness(kind)), specimen(subject.plugin) {
  witness.engine = subject.engine;
  specimen.init(witness);
}

Json Subject::complete(Json options) const {
  if (options.is_null()) options = Json::object();
  kind.supply(*this, options);
  for (const OptionSchema& schema : factory.options) {
    if (schema.required && !options.contains(schema.name)) options[schema.name] = made_up(schema, *this);
    if (schema.type != "path" || !options.contains(schema.name) || !options[schema.name].is_string()) continue;
    const std::string path = options[schema.name];
    if (!path.empty() && path[0] != '/') options[schema.name] = fs::absolute(fs::path(folder) / path).lexically_normal().string();
  }
  try {
    return validate_options(factory.options, options);
  } catch (const Error& error) {
    throw Failed(error.what());
  }
}

std::vector<Input> Subject::written(const char* key, const Amend& amend) const {
  std::vector<Input> found;
  for (const Json& one : cases) {
    if (!one.is_object() || !one.contains(key) || (one.contains("factory") && one["factory"] != factory.name)) continue;
    Json options = one.value("options", Json::object());
    if (amend) amend(options, one, found.size());
    found.push_back({one.value("name", "case " + std::to_string(found.size() + 1)), complete(options), one});
  }
  return found;
}

Answer create(const Subject& subject, Stage& stage, const Json& options, Arena& arena, void** table, attune_value* given) {
  for (auto factory = stage.specimen.entry().factories; *factory; ++factory) {
    if ((*factory)->kind != subject.factory.kind || (*factory)->name != subject.factory.name) continue;
    const attune_value value = to_value(options, arena);
    if (given) *given = value;
    *table = nullptr;
    const Answer answer = stage.witness.call("create", [&] { return (*factory)->create(stage.witness.host(), &value, table); });
    if (answer.ok() && !*table) throw Failed("create reported success and made nothing");
    return answer;
  }
  throw Failed("the code has no such factory");
}

Json use_fresh(const Subject& subject, Stage& stage, const Input& input) {
  Arena arena;
  void* table = nullptr;
  const Answer answer = create(subject, stage, input.options, arena, &table);
  if (!answer.ok()) return {{"create", answer.json()}};
  if (const std::string missing = subject.kind.missing(table); !missing.empty()) throw Failed("the table that create made " + missing);
  SinkRule rule;
  const Json found = subject.kind.use(stage.witness, table, input.given, rule);
  doing("destroy");
  subject.kind.destroy(table);
  return found;
}

Instance::Instance(const Subject& subject, Stage& stage, const Json& options)
    : kind_(subject.kind), witness_(stage.witness), arena_(std::make_unique<Arena>()) {
  const Answer answer = create(subject, stage, options, *arena_, &table_, &options_);
  if (!answer.ok())
    throw Failed("create with options " + brief(options) + " failed with code " + std::to_string(answer.code) + ": " + answer.why);
  if (const std::string missing = kind_.missing(table_); !missing.empty()) throw Failed("the table that create made " + missing);
}

void Instance::forget_options() {
  scribble(options_);
  arena_.reset();
}

Instance::~Instance() {
  doing("destroy");
  if (table_) kind_.destroy(table_);
}

}  // namespace attune::validate
