// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kernel/host/engine_api.h"
#include "kernel/host/services/run_services.h"

namespace attune {

/// The engine, opened at the first call.
using EngineOf = std::function<Engine&()>;

/// Who answers a run's requests: the model of [model], for which the engine is opened, or the
/// generator plugin of [generator], for which it is not.
class Answerer {
 public:
  Answerer(const Json& run, const EngineOf& engine, RunServices& host);
  attune_generator& generator() { return model_ ? model_->generator() : *plugin_; }

 private:
  std::unique_ptr<LanguageModel> model_;
  Plugin<attune_generator> plugin_;
};

/// The model's path, or "openai".
std::string answerer_name(const Json& run);

/// What the engine needs to open a run's model.
ModelRequest model_request(const Json& run);

}  // namespace attune
