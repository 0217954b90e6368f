// SPDX-License-Identifier: Apache-2.0
// Algorithms with one fault each, and models that change what a sound one does. A factory is named by its fault.
#include <ATen/ATen.h>

#include "attune/algorithm.h"
#include "attune/model.h"
#include "nn/model_config.h"

namespace {

using namespace attune;

enum class Fault { kNone, kMean, kFirst, kEmpty, kOverflow, kFormula, kMetric, kGradient, kEffect, kForgets };

/// -log p of each token, or the fault's idea of it.
template <Fault fault>
class Faulty final : public Algorithm {
 public:
  explicit Faulty(Value) {}
  Needs needs() const override { return {.whole_step = fault == Fault::kForgets}; }
  std::string formula() const override { return fault == Fault::kFormula ? "-log p(y_t)\nper token" : "-log p(y_t), per token"; }

  Loss loss(const Scores& scores) const override {
    const at::Tensor nll_U = -scores.logprob_U;
    at::Tensor numerator = (scores.weight_U * nll_U).sum();
    if (fault == Fault::kMean) numerator = nll_U.mean();
    if (fault == Fault::kFirst) numerator = numerator + nll_U[0];
    if (fault == Fault::kEmpty) numerator = (scores.sum(nll_U) / scores.length_B).sum();
    if (fault == Fault::kOverflow) numerator = (8 * nll_U).exp().sum();
    if (fault == Fault::kGradient) numerator = (nll_U * nll_U.detach()).sum();
    if (fault == Fault::kEffect) scores.weight_U.add_(0.5);
    if (fault == Fault::kForgets) numerator = numerator * (1 + seen_);
    return {.numerator = numerator, .unit = Unit::kToken, .metrics = {{"nll", fault == Fault::kMetric ? nll_U : nll_U.detach()}}};
  }
  void observe(const Scores&) override { seen_ += 1; }

 private:
  double seen_ = 0;
};

enum class Flaw { kNone, kNeighbour, kFuture, kCache, kTwice, kWidth, kStill, kNoise, kUnits, kRecompute };

nn::DecoderSpec read(const Value& json) {
  const nn::ModelConfig config(json, "faulty");
  config.refuse_all_but({});
  nn::DecoderSpec spec = config.decoder();
  spec.rotary = {config.rotary(spec)};
  return spec;
}

template <Flaw flaw>
class Flawed final : public nn::Decoder {
 public:
  explicit Flawed(const Value& options) : Decoder(read(options["config"])) {}

  std::vector<Parameter> parameters() override {
    std::vector<Parameter> all = Decoder::parameters();
    if (flaw == Flaw::kTwice) all.push_back(all.front());
    if (flaw == Flaw::kStill) all.push_back({"never.used", still_});
    return all;
  }
  ModelShape shape() const override {
    ModelShape made = Decoder::shape();
    if (flaw == Flaw::kWidth) made.width += 1;
    return made;
  }
  Encoded encode(const attune_sample& sample, const Tokenizer& tokenizer, const EncodeOptions& options) const override {
    Encoded made = Decoder::encode(sample, tokenizer, options);
    if (flaw == Flaw::kUnits) made.units.back().row = int64_t(made.ids.size());
    return made;
  }
  at::Tensor hidden(const Batch& batch, Cache* cache) override {
    Batch given = batch;
    if (flaw == Flaw::kNoise) given.noise_ND = at::Tensor();
    const at::Tensor made = Decoder::hidden(given, cache);
    if (flaw == Flaw::kNeighbour) return made + 0.1 * made.mean(0, true);
    if (flaw == Flaw::kFuture && batch.segments.size() <= 2) return made + 0.1 * made.slice(0, made.size(0) - 1);
    if (flaw == Flaw::kCache && cache) return 1.1 * made;
    if (flaw == Flaw::kRecompute && batch.recompute > 0) return 1.1 * made;
    return made;
  }

 private:
  at::Tensor still_ = at::zeros({2, 2});
};

#define ALGORITHM(name, fault) ATTUNE_ALGORITHM(name, #name, Faulty<Fault::fault>)
#define MODEL(name, flaw) ATTUNE_MODEL(name, #name, Flawed<Flaw::flaw>)
ALGORITHM(none, kNone);
ALGORITHM(mean, kMean);
ALGORITHM(first, kFirst);
ALGORITHM(empty, kEmpty);
ALGORITHM(overflow, kOverflow);
ALGORITHM(formula, kFormula);
ALGORITHM(metric, kMetric);
ALGORITHM(gradient, kGradient);
ALGORITHM(effect, kEffect);
ALGORITHM(forgets, kForgets);
MODEL(sound, kNone);
MODEL(neighbour, kNeighbour);
MODEL(future, kFuture);
MODEL(cache, kCache);
MODEL(twice, kTwice);
MODEL(width, kWidth);
MODEL(still, kStill);
MODEL(noise, kNoise);
MODEL(units, kUnits);
MODEL(recompute, kRecompute);

}  // namespace

ATTUNE_PLUGIN(&none, &mean, &first, &empty, &overflow, &formula, &metric, &gradient, &effect, &forgets, &sound, &neighbour, &future, &cache,
              &twice, &width, &still, &noise, &units, &recompute)
