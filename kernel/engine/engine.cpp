// SPDX-License-Identifier: Apache-2.0
#include <ATen/Parallel.h>

#include "kernel/engine/export.h"
#include "kernel/engine/language_model.h"
#include "kernel/engine/plan.h"
#include "kernel/engine/trainer.h"
#include "kernel/host/engine_api.h"

namespace attune {
namespace {

class TorchEngine final : public Engine {
 public:
  Json train(const Json& run, const std::string& folder, HostServices& host) override { return Trainer(run, folder, host).run(); }

  Json plan(const Json& run, HostServices& host) override {
    const LoadOptions options = load_options(run);
    if (const Json adapter = adapter_config(options.path); adapter.is_object()) {
      Json base = run;
      base["model"]["path"] = adapter.at("base_model_name_or_path");
      return plan(base, host);
    }
    const std::string text = host.checkpoint(options.path)->document("config.json");
    if (text.empty()) throw Error(options.path + ": no config.json; expected a folder in the Hugging Face layout");
    const Json config = Json::parse(text);
    Json model_options = options.options;
    model_options["config"] = config;
    const auto object = host.object("model/1", options.use.empty() ? host.model_for(config) : options.use, model_options);
    Model& model = *static_cast<Model*>(object->object);
    return plan_run(run, model.shape(), model.parameters());
  }

  std::unique_ptr<LanguageModel> open(const ModelRequest& request, HostServices& host) override {
    return open_language_model(request, host);
  }

  void convert(const std::string& from, const std::string& to, const std::string& dtype, HostServices& host) override {
    convert_checkpoint(from, to, dtype, host);
  }

  void threads(int count) override {
    if (count > 0) at::set_num_threads(count);
  }
};

}  // namespace
}  // namespace attune

attune::Engine* attune_engine_v1(void) {
  static auto* const engine = new attune::TorchEngine;  // Lives as long as the process: nothing is unloaded.
  return engine;
}
