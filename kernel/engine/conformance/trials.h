// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "attune/model.h"
#include "kernel/host/engine_api.h"

namespace attune::conformance {

/// What a trial works with.
struct Setting {
  const TorchTrials::Make& make;
  Json options;   ///< of the factory, complete
  Json metadata;  ///< of plugin.toml
};

/// A trial that throws Error where something is wrong, and returns why it was not made, or "".
struct Trial {
  TorchTrials::Trial about;
  std::function<std::string(const Setting&)> run;
};

std::vector<Trial> model_trials();
std::vector<Trial> algorithm_trials();
Json use_model(Model& model, const Json& given);
Json use_algorithm(Algorithm& algorithm, const Json& metadata, const Json& given);

/// Throws Error "WHAT: expected at most LIMIT, found GAP".
void expect_within(double gap, double limit, const std::string& what);

TorchTrials& torch_trials();

}  // namespace attune::conformance
