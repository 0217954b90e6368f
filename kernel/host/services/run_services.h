// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel/host/engine_api.h"
#include "kernel/host/services/plugin_failure.h"

namespace attune {

struct Evaluator {
  Plugin<attune_evaluator> table;
  PluginFailure failure;
};

/// What a run needs beyond what the engine needs. One object per run or stage.
class RunServices : public HostServices {
 public:
  virtual Plugin<attune_generator> generator(const std::string& use, const Json& options) = 0;
  virtual Evaluator evaluator(const std::string& use, const Json& options) = 0;
  /// Notes for the record: dropped rows by file, digests of data and model, plugins that were
  /// opened.
  virtual Json notes() const = 0;
  /// Throws ExitError where the user asked to stop.
  virtual void check_cancelled() const = 0;
};

}  // namespace attune
