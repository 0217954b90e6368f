// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>

#include "kernel/engine/conformance/model_laws.h"
#include "kernel/engine/optimizer.h"
#include "kernel/engine/step_audit.h"
#include "kernel/host/manifest/node.h"
#include "laws/subjects.h"
#include "nn/likelihood.h"

namespace attune::laws {
namespace {

class ModelLaw : public ::testing::TestWithParam<std::string> {};

at::Tensor scores_of(ModelUnderLaw& model, std::span<const Encoded* const> samples) {
  return log_likelihood(*model.model, pack(samples, model.model->shape().position_axes, at::kCPU));
}

TEST_P(ModelLaw, PackedEqualsAlone) {
  const ModelUnderLaw model(GetParam());

  EXPECT_LE(conformance::packing_gap(*model.model, random_samples(model, true, 7, 2)), 1e-5);
}

TEST_P(ModelLaw, SharedPromptEqualsSeparatePrompts) {
  const ModelUnderLaw model(GetParam());
  const auto of = [&](bool shared) { return random_samples(model, true, 5, 4, shared); };

  EXPECT_LE(conformance::likelihood_gap(*model.model, of(true), of(false)), 1e-5);
}

TEST_P(ModelLaw, ChunkSizeOfTheHeadChangesNothing) {
  ModelUnderLaw model(GetParam());
  const std::vector<Encoded> samples = random_samples(model, false, 6, 9);
  const MicroBatch micro = pack(pointers(samples), model.model->shape().position_axes, at::kCPU);
  const auto gradient = [&](int64_t chunk) {
    const at::Tensor hidden_UD = model.model->hidden(micro.batch, nullptr).index_select(0, micro.row_U);
    nn::log_likelihood(hidden_UD, micro.target_U, model.model->head(0), {.chunk = chunk}).sum().backward();
    return model.take_gradient();
  };

  const at::Tensor whole = gradient(1 << 20);

  EXPECT_LE(relative_gap(gradient(1), whole), 1e-5);
  EXPECT_LE(relative_gap(gradient(3), whole), 1e-5);
}

TEST_P(ModelLaw, ComputingLayersAgainChangesNothing) {
  ModelUnderLaw model(GetParam());
  MicroBatch micro = pack(pointers(random_samples(model, true, 6, 9)), model.model->shape().position_axes, at::kCPU);
  const auto learn = [&](int64_t recompute) {
    micro.batch.recompute = recompute;
    const at::Tensor value = log_likelihood(*model.model, micro).sum();
    value.backward();
    return std::pair(value.item<double>(), model.take_gradient());
  };

  const auto [kept, gradient] = learn(0);

  for (int64_t layers = 1; layers <= model.model->shape().layers; ++layers) {
    const auto [again, same] = learn(layers);
    EXPECT_EQ(again, kept) << layers;
    EXPECT_TRUE(at::equal(same, gradient)) << layers;
  }
}

TEST_P(ModelLaw, CacheOnEqualsCacheOff) {
  const ModelUnderLaw model(GetParam());

  EXPECT_LE(conformance::cache_gap(*model.model, random_samples(model, false, 3, 6)), 1e-5);
}

TEST_P(ModelLaw, EveryParameterHasItsOwnName) {
  ModelUnderLaw model(GetParam());
  std::set<std::string> names;
  for (const Parameter& parameter : model.parameters) EXPECT_TRUE(names.insert(parameter.name).second) << parameter.name;
}

TEST_P(ModelLaw, EveryTrainableParameterMovesInTheFirstStepAndNoFrozenOne) {
  ModelUnderLaw model(GetParam());
  std::vector<Parameter> trainable;
  for (Parameter& parameter : model.parameters) {
    const bool frozen = parameter.name.find("embed") != std::string::npos;
    parameter.tensor.set_requires_grad(!frozen);
    if (!frozen) trainable.push_back(parameter);
  }
  Optimizer adam(trainable, {{"betas", {0.9, 0.999}}, {"eps", 1e-8}, {"weight_decay", 0.0}});
  scores_of(model, pointers(random_samples(model, true, 8, 1))).sum().backward();
  adam.accumulate();

  const StepAudit audit(model.parameters, adam);
  adam.step(1e-3, 1.0, 0.0);

  EXPECT_NO_THROW(audit.verify());
}

INSTANTIATE_TEST_SUITE_P(Every, ModelLaw, ::testing::ValuesIn(models()), [](const auto& info) { return info.param; });

TEST(Configuration, KeepsItsNullsOnTheWayToAModel) {
  const Json config = {{"sliding_window", nullptr}, {"rope_scaling", {{"factor", nullptr}}}};

  EXPECT_EQ(manifest::to_json(manifest::from_json(config)), config);
}

TEST(StepAudit, NamesAParameterThatDidNotMove) {
  at::Tensor moves = at::ones({2}), still = at::ones({2});
  const std::vector<Parameter> all = {{"moves", moves, false}, {"still", still, false}};
  Optimizer adam(all, {{"betas", {0.9, 0.999}}, {"eps", 1e-8}, {"weight_decay", 0.0}});
  moves.mutable_grad() = at::ones({2});
  still.mutable_grad() = at::zeros({2});
  adam.accumulate();

  const StepAudit audit(all, adam);
  adam.step(1e-3, 1.0, 0.0);

  try {
    audit.verify();
    FAIL() << "the audit passed";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("had no gradient: still;"), std::string::npos) << error.what();
  }
}

TEST(StepAudit, SeesEqualStepsUpAndDown) {
  at::Tensor moves = at::tensor({1.25f, 1.5f});
  const std::vector<Parameter> all = {{"moves", moves, false}};
  Optimizer adam(all, {{"betas", {0.9, 0.999}}, {"eps", 1e-8}, {"weight_decay", 0.0}});
  moves.mutable_grad() = at::tensor({1.0f, -1.0f});
  adam.accumulate();

  const StepAudit audit(all, adam);
  adam.step(1e-3, 1.0, 0.0);

  EXPECT_NO_THROW(audit.verify());
}

TEST(StepAudit, NamesAFrozenParameterThatChanged) {
  at::Tensor moves = at::ones({2}), frozen = at::ones({2});
  Optimizer adam({{"moves", moves, false}}, {{"betas", {0.9, 0.999}}, {"eps", 1e-8}, {"weight_decay", 0.0}});
  moves.mutable_grad() = at::ones({2});
  adam.accumulate();

  const StepAudit audit({{"moves", moves, false}, {"frozen", frozen, false}}, adam);
  adam.step(1e-3, 1.0, 0.0);
  frozen.add_(1e-3);

  EXPECT_THROW(audit.verify(), Error);
}

}  // namespace
}  // namespace attune::laws
