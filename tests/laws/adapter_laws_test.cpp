// SPDX-License-Identifier: Apache-2.0
// What holds for low-rank adapters on every model.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernel/engine/adapters.h"
#include "kernel/engine/packed_weights.h"
#include "laws/subjects.h"

namespace attune::laws {
namespace {

class AdapterLaw : public ::testing::TestWithParam<std::tuple<std::string, bool>> {
 protected:
  AdapterLaw() : model(std::get<0>(GetParam())), samples(random_samples(model, true, 6, 3)) {
    for (Parameter& parameter : model.parameters) parameter.tensor.set_requires_grad(false);
    loaded.parameters = model.parameters;
    options.rank = 4;
    options.alpha = 12;
    options.magnitudes = std::get<1>(GetParam());
    options.targets = {"*"};
    options.seed = 5;
  }
  at::Tensor scores() {
    return log_likelihood(*model.model,
                          pack(pointers(samples), model.model->shape().position_axes, at::kCPU));
  }
  /// Adapters that change much.
  std::vector<Parameter> changed() {
    at::manual_seed(7);
    std::vector<Parameter> made = attach_adapters(loaded, options);
    const at::NoGradGuard no_grad;
    for (Parameter& parameter : made) {
      parameter.tensor.add_(at::randn_like(parameter.tensor) *
                            (parameter.name.ends_with("vector") ? 0.1 : 0.05));
    }
    return made;
  }

  ModelUnderLaw model;
  std::vector<Encoded> samples;
  LoadedModel loaded;
  AdapterOptions options;
};

TEST_P(AdapterLaw, AFreshAdapterChangesNothing) {
  const at::NoGradGuard no_grad;
  const at::Tensor before = scores();

  const std::vector<Parameter> made = attach_adapters(loaded, options);

  EXPECT_GE(made.size(), 8u);
  EXPECT_LE(relative_gap(scores(), before), options.magnitudes ? 1e-6 : 0.0);
}

TEST_P(AdapterLaw, MergedEqualsUnmergedAndOffEqualsBefore) {
  const at::NoGradGuard no_grad;
  const at::Tensor before = scores();
  changed();
  const at::Tensor unmerged = scores();
  {
    const WithoutAdapters off(loaded);
    EXPECT_TRUE(at::equal(scores(), before));
  }

  merge_adapters(loaded);

  EXPECT_GT(relative_gap(unmerged, before), 1e-3);
  EXPECT_LE(relative_gap(scores(), unmerged), 2e-5);
}

TEST_P(AdapterLaw, OnlyTheAdapterLearnsAndItsGradientAgreesWithFiniteDifferences) {
  std::vector<Parameter> made = changed();
  for (Parameter& parameter : made) parameter.tensor.set_requires_grad(true);
  scores().sum().backward();
  for (const Parameter& parameter : model.parameters)
    EXPECT_FALSE(parameter.tensor.grad().defined()) << parameter.name;
  if (options.magnitudes) return;  // Its gradient leaves the norm out, by definition.

  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> directions;
  double size = 0;
  for (const Parameter& parameter : made) {
    ASSERT_TRUE(parameter.sparse || parameter.tensor.grad().defined()) << parameter.name;
    directions.push_back(parameter.tensor.grad().defined() ? parameter.tensor.grad()
                                                           : at::zeros_like(parameter.tensor));
    size += directions.back().square().sum(at::kDouble).item<double>();
  }
  size = std::sqrt(size);
  const double step = 1e-3;
  const auto move = [&](double by) {
    for (size_t i = 0; i < made.size(); ++i) made[i].tensor.add_(directions[i], by / size);
    return scores().sum(at::kDouble).item<double>();
  };
  const double above = move(step), below = move(-2 * step);
  EXPECT_NEAR((above - below) / (2 * step), size, 1e-2 * size);
}

TEST_P(AdapterLaw, LearnsTheSameWhereLayersAreComputedAgain) {
  std::vector<Parameter> made = changed();
  for (Parameter& parameter : made) parameter.tensor.set_requires_grad(true);
  MicroBatch micro = pack(pointers(samples), model.model->shape().position_axes, at::kCPU);
  const auto gradient = [&](int64_t recompute) {
    micro.batch.recompute = recompute;
    log_likelihood(*model.model, micro).sum().backward();
    std::vector<at::Tensor> parts;
    for (Parameter& parameter : made) {
      const at::Tensor& grad = parameter.tensor.grad();
      parts.push_back(grad.defined() ? grad.reshape(-1).clone()
                                     : at::zeros(parameter.tensor.numel()));
      parameter.tensor.mutable_grad().reset();
    }
    return at::cat(parts);
  };

  const at::Tensor kept = gradient(0);

  EXPECT_GT(kept.abs().max().item<double>(), 0);
  for (int64_t layers = 1; layers <= model.model->shape().layers; ++layers)
    EXPECT_TRUE(at::equal(gradient(layers), kept)) << layers;
}

TEST_P(AdapterLaw, OverFourBitWeightsEqualsTheSameOverWhatTheyStandFor) {
  int packed = 0;
  for (const Parameter& parameter : model.parameters) {
    if (!is_packable(parameter)) continue;
    pack_weight(parameter, parameter.tensor.clone(), true, at::kFloat);
    ++packed;
  }
  ASSERT_GT(packed, 0);
  std::vector<Parameter> made = changed();
  const auto learn = [&] {
    for (Parameter& parameter : made) parameter.tensor.set_requires_grad(true);
    const at::Tensor value = scores();
    value.sum().backward();
    std::vector<at::Tensor> parts;
    for (Parameter& parameter : made) {
      const at::Tensor& grad = parameter.tensor.grad();
      parts.push_back(grad.defined() ? grad.reshape(-1).clone() : at::zeros(parameter.tensor.numel()));
      parameter.tensor.mutable_grad().reset();
    }
    return std::pair(value.detach(), at::cat(parts));
  };
  const auto [narrow, narrow_gradient] = learn();

  unpack_weights(loaded);

  for (const Parameter& parameter : model.parameters) EXPECT_FALSE(parameter.packed && parameter.packed->there());
  const auto [wide, wide_gradient] = learn();
  EXPECT_LE(relative_gap(narrow, wide), 1e-6);
  EXPECT_LE(relative_gap(narrow_gradient, wide_gradient), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Every, AdapterLaw,
                         ::testing::Combine(::testing::ValuesIn(models()), ::testing::Bool()),
                         [](const auto& info) {
                           return std::get<0>(info.param) +
                                  (std::get<1>(info.param) ? "_dora" : "_lora");
                         });

TEST(Adapters, APatternThatMeansNoLayerIsRefused) {
  ModelUnderLaw model(any_model());
  LoadedModel loaded;
  loaded.parameters = model.parameters;
  AdapterOptions options;
  options.targets = {"q_proj", "p_proj"};

  try {
    attach_adapters(loaded, options);
    FAIL() << "taken";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "adapter.targets: no linear layer is named `p_proj`");
  }
  options.targets = {"q_proj"};
  for (const Parameter& parameter : attach_adapters(loaded, options))
    EXPECT_NE(parameter.name.find(".q_proj.lora_"), std::string::npos);
}

}  // namespace
}  // namespace attune::laws
