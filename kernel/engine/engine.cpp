// SPDX-License-Identifier: Apache-2.0
#include <ATen/Parallel.h>

#include "kernel/engine/block_cache.h"
#include "kernel/engine/conformance/trials.h"
#include "kernel/engine/export.h"
#include "kernel/engine/language_model.h"
#include "kernel/engine/plan.h"
#include "kernel/engine/trainer.h"
#include "kernel/host/engine_api.h"

namespace attune {
namespace {

class TorchEngine final : public Engine {
 public:
  Json train(const Json& run, const std::string& folder, HostServices& host) override {
    return Trainer(std::make_unique<PreparedRun>(run, host, folder), folder, host).run();
  }

  Json references(const Json& run, HostServices& host) override {
    return Trainer(std::make_unique<PreparedRun>(run, host), "", host).references();
  }

  Json plan(const Json& run, HostServices& host, Calibrate calibrate) override {
    // Plans of one run that differ in how it is cut are made from the same measurements.
    Json same = run;
    for (const char* key : {"tokens_per_batch", "activation_checkpointing"}) same["train"].erase(key);
    if (same != planned_ || &host != planned_by_) {
      planner_.reset(), prepared_ = std::make_unique<PreparedRun>(run, host);
      planner_ = std::make_unique<Planner>(*prepared_, host);
      planned_ = same, planned_by_ = &host;
    }
    return planner_->plan(run.at("train"), calibrate);
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

  TorchTrials& trials() override { return conformance::torch_trials(); }

 private:
  std::unique_ptr<PreparedRun> prepared_;
  std::unique_ptr<Planner> planner_;
  Json planned_;
  HostServices* planned_by_ = nullptr;
};

}  // namespace
}  // namespace attune

attune::Engine* attune_engine_v1(void) {
  static auto* const engine = (attune::use_block_cache(), new attune::TorchEngine);  // Lives as long as the process: nothing is unloaded.
  return engine;
}
