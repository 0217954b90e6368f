// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernel/host/engine_api.h"
#include "kernel/host/validate/verdict.h"

/// The conformance suite that `attune plugins validate` runs: whether a plugin keeps to what the host relies on.
namespace attune::validate {

struct Request {
  std::string file;                 ///< the plugin
  std::string cases;                ///< what the author wrote down: inputs and what becomes of them; empty: nothing
  std::string config;               ///< a small config.json, for models; empty: none
  std::vector<std::string> tests;   ///< names; empty: all
  double seconds = 20;              ///< that one test may take
  std::function<Engine*()> engine;  ///< opens the engine; called for the torch tier alone
};

/// Runs the tests of the file, then those of each factory. Each has a process of its own. Throws ExitError where the request
/// cannot be served: a file that is not there, cases that cannot be read, a test that there is not.
std::vector<Verdict> validate(const Request& request);

}  // namespace attune::validate
