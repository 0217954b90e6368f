// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/reference.h"

#include <ATen/ATen.h>

#include "kernel/engine/adapters.h"
#include "kernel/host/exit.h"
#include "kernel/host/services/digest.h"

namespace attune {

std::string weights_digest(const Json& run, const LoadedModel& model) {
  const bool random = run.at("model").value("init", "") == "random";
  return random ? model.config.dump() + run.at("run").at("seed").dump()
                : model.checkpoint->digest();
}

Reference::Reference(const Json& run, const Needs& needs, LoadedModel& policy, bool adapted,
                     HostServices& host)
    : run_(run),
      table_(run.at("reference")),
      policy_(policy),
      host_(host),
      cached_(table_.value("mode", "cached") == "cached"),
      sync_every_(table_.value("sync_every", int64_t(0))),
      temperature_(needs.divergence.temperature) {
  const bool whole = needs.divergence.kind != DivergenceKind::kNone;
  top_k_ = whole ? table_.value("top_k", int64_t(0)) : 0;
  if (sync_every_ > 0 && cached_) {
    throw ExitError(Exit::kUsage,
                    "reference.sync_every moves a live reference: set reference.mode = \"live\"");
  }
  if (whole && cached_ != (top_k_ > 0)) {
    throw ExitError(Exit::kUsage,
                    "this algorithm compares whole distributions: set reference.mode = \"live\", "
                    "or keep it \"cached\" and say how many of the teacher's likeliest tokens to "
                    "store: reference.top_k = 64");
  }
  if (sync_every_ > 0 && adapted) {
    throw ExitError(Exit::kUsage,
                    "reference.sync_every moves a model towards another, which adapters do not "
                    "have; take out [adapter] or sync_every");
  }
  const bool named = !table_.value("path", "").empty();
  if (!cached_ && (!adapted || whole || named)) live_ = load();
}

std::unique_ptr<LoadedModel> Reference::load() const {
  LoadOptions options = load_options(run_);
  if (const std::string path = table_.value("path", ""); !path.empty()) {
    options.path = path;
    options.random = false;
  }
  return std::make_unique<LoadedModel>(load_model(options, host_));
}

void Reference::complete(std::span<const Work> work) {
  const bool named = !table_.value("path", "").empty();
  const std::unique_ptr<LoadedModel> other = named ? load() : nullptr;
  LoadedModel& model = other ? *other : policy_;
  const int64_t found = model.model->shape().vocabulary,
                wanted = policy_.model->shape().vocabulary;
  if (top_k_ > 0 && found != wanted) {
    throw ExitError(Exit::kUsage, "the teacher's vocabulary has " + std::to_string(found) +
                                      " tokens, the model's " + std::to_string(wanted) +
                                      "; distillation needs one vocabulary");
  }
  const std::string weights = other ? model.checkpoint->digest() : weights_digest(run_, model);
  for (const Work& one : work) complete(one, model, weights);
}

void Reference::complete(const Work& work, LoadedModel& model, const std::string& weights) {
  const Json& of_model = run_.at("model");
  const std::string packing = of_model.contains("quantize")
      ? of_model["quantize"].dump() + of_model.at("double_quant").dump() : "";
  const std::string key = sha256(
      weights + work.split.data->digest() + of_model.at("dtype").dump() + packing +
      run_.at("run").at("device").dump() + of_model.value("options", Json::object()).dump() +
      (top_k_ > 0 ? "top " + std::to_string(top_k_) + " " + std::to_string(temperature_) : ""));
  const auto score = [&](std::span<const Encoded* const> part) {
    return top_k_ > 0 ? top_units(part, model, top_k_, temperature_) : score_units(part, model);
  };
  work.split.stored = std::make_unique<ReferenceScores>(table_.at("cache"), key, host_);
  if (!work.plan.empty() && work.split.stored->complete_for(work.plan)) return;
  const WithoutAdapters as_it_was(policy_);
  work.split.stored->complete(work.indices(), *work.split.data, score,
                              run_.at("train").at("tokens_per_batch"));
  if (!work.plan.empty()) work.split.stored->mark_complete(work.plan);
}

at::Tensor Reference::units(Split& split, std::span<const int64_t> indices,
                            std::span<const Encoded* const> samples) {
  if (split.stored) return split.stored->of(indices);
  std::vector<float> all;
  const WithoutAdapters as_it_was(policy_);
  for (const std::vector<float>& scores : score_units(samples, live_ ? *live_ : policy_))
    all.insert(all.end(), scores.begin(), scores.end());
  return at::tensor(all, at::kFloat);
}

void Reference::move(int64_t step) {
  if (sync_every_ == 0 || step % sync_every_ != 0) return;
  const at::NoGradGuard no_grad;
  const double share = table_.at("sync_mixup");
  for (size_t i = 0; i < policy_.parameters.size(); ++i) {
    at::Tensor reference = live_->parameters[i].tensor;
    reference.lerp_(policy_.parameters[i].tensor.to(reference.scalar_type()), share);
  }
}

NamedTensors Reference::state() const {
  NamedTensors tensors;
  if (sync_every_ == 0) return tensors;
  for (const Parameter& parameter : live_->parameters)
    tensors.emplace_back(parameter.name, parameter.tensor);
  return tensors;
}

}  // namespace attune
