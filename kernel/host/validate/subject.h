// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/host/engine_api.h"
#include "kernel/host/plugins/metadata.h"
#include "kernel/host/validate/witness.h"

namespace attune::validate {

/// A plugin opened in this process, as the host opens it. Never closed.
class Specimen {
 public:
  /// Throws Failed where the file cannot be opened or its entry is not what the note says.
  explicit Specimen(const PluginInfo& plugin);
  const attune_entry& entry() const { return *entry_; }
  /// The entry that the plugin's function returns now.
  const attune_entry* ask() const { return function_(); }
  /// Once in a process, until `deinit`. The witness must live as long. Throws Failed.
  void init(Witness& witness) const;
  void deinit() const;

 private:
  const attune_entry* (*function_)() = nullptr;
  const attune_entry* entry_ = nullptr;
};

/// One use of an instance: the options that it is made with, and what it is given.
struct Input {
  std::string name;
  Json options;
  Json given;
};

class Kind;

/// What a test of a factory is about. Everything is made in the test's own process.
struct Subject {
  const PluginInfo& plugin;
  const Provided& factory;
  const Kind& kind;
  const Json& cases;         ///< list; what the author wrote down
  std::string folder;        ///< of the file with the cases
  const Json& config;        ///< of a model; null if there is none
  Engine* engine = nullptr;  ///< in the torch tier
  std::string scratch;

  /// Where a test may write.
  std::string out() const { return scratch + "/out"; }
  /// What was written down for this kind: cases that have `key`, with options completed. `amend(options, case, number)` adds
  /// what the case says elsewhere.
  using Amend = std::function<void(Json& options, const Json& one, size_t number)>;
  std::vector<Input> written(const char* key, const Amend& amend = {}) const;
  /// Options as the host gives them: defaults, paths of cases relative to their file, and what must be given and is not, made
  /// up. Throws Failed naming what is wrong with the declaration.
  Json complete(Json options) const;
};

/// A plugin in this process, initialised, with a host that watches it. The host stays when the stage goes: a plugin may keep it.
struct Stage {
  explicit Stage(const Subject& subject, Witness::Kind kind = Witness::Kind::kUsual);
  Witness& witness;
  Specimen specimen;
};

/// An instance of a factory; destroyed with this.
class Instance {
 public:
  /// Throws Failed where `create` fails.
  Instance(const Subject& subject, Stage& stage, const Json& options);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  void* table() const { return table_; }
  Witness& witness() const { return witness_; }
  /// The options' memory is gone from now on.
  void forget_options();

 private:
  const Kind& kind_;
  Witness& witness_;
  std::unique_ptr<Arena> arena_;
  attune_value options_{};
  void* table_ = nullptr;
};

/// Uses a fresh instance, or tells how `create` refused: {"create": ...}.
Json use_fresh(const Subject& subject, Stage& stage, const Input& input);

/// Calls `create` of the factory with options as they are, which live in `arena`. On success *table is what it made; *given are the options
/// in the C form.
Answer create(const Subject& subject, Stage& stage, const Json& options, Arena& arena, void** table, attune_value* given = nullptr);

}  // namespace attune::validate
