// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernel/host/manifest/checker.h"
#include "kernel/host/manifest/node.h"

namespace attune::manifest {

/// Checks what was written, as the kind of run demands, and makes the resolved JSON of it.
class Resolver {
 public:
  Resolver(const Node& root, Checker& checker) : root_(root), checker_(checker) {}

  /// `start`: the first place of the manifest, for what is missing altogether.
  Json resolve(const Place& start);

 private:
  struct Run {
    const Node& root;  // all tables, defaults of the pipeline included
    const Node& own;   // those that the run or stage wrote itself
    std::string kind;
    Scope scope;
  };

  void tables(Json& out, const Run& run);
  std::string other_answerer(const Run& run);
  void pipeline(Json& out, const Scope& top);
  Json stage(const Json& out, const Node& written, const Scope& scope);
  Json stage_run(const Json& run, const Json& changed, const Scope& scope);
  Node with_defaults(const Node& stage) const;
  void check_defaults(const std::vector<StageName>& stages, const Scope& top);
  void reference(Json& out, const Run& run);

  const Node& root_;
  Checker& checker_;
};

/// Rules that span several keys of one run, beyond what a schema says.
/// Leaves [optimizer] and [schedule] with the options that their `use` honours, defaults filled in.
void check_train(Json& out, const Node& root, const Scope& scope, Checker& checker);
/// 4-bit weights are for the training of adapters.
void check_quantize(Json& out, const Node& root, const std::string& kind, Report& report);
/// Whether `option` of [optimizer] or [schedule] belongs to other values of `use` alone.
bool is_of_another(const std::string& table, const std::string& use, const std::string& option);
void check_optimizer(Json& out, const Node& root, Report& report);
/// Also gives every evaluation its name.
void check_evaluate(Json& out, const Node& root, const Scope& scope, Checker& checker);
/// A name that becomes a folder.
void check_name(const Node& table, bool dots, Report& report);
void check_unique_stages(const Node& stages, Report& report);

}  // namespace attune::manifest
