// SPDX-License-Identifier: Apache-2.0
// Every model plugin on CUDA.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernel/engine/device.h"
#include "nn/likelihood.h"
#include "tests/cuda/device.h"
#include "tests/model/model_under_test.h"

namespace attune::testing {
namespace {

class EveryModelOnCuda : public ::testing::TestWithParam<std::string> {
 protected:
  /// Runs the test on each configuration, with a model of it on the device.
  template <typename Test>
  void each(at::ScalarType dtype, Test&& test) const {
    const at::Device cuda = open_device("cuda");
    for (const ParityCase& about : parity_cases(GetParam())) {
      SCOPED_TRACE(about.name);
      ModelUnderTest model(GetParam(), about.config);
      model.fill(about.centre);
      for (Parameter& parameter : model->parameters()) parameter.tensor.set_data(parameter.tensor.detach().to(cuda, dtype));
      test(model, about, cuda);
    }
  }
};

Batch moved(Batch batch, at::Device device) {
  batch.ids_N = batch.ids_N.to(device), batch.positions_AN = batch.positions_AN.to(device);
  return batch;
}

/// Log-probabilities of a row, computed on the device.
at::Tensor scores(ModelUnderTest& model, const std::vector<int64_t>& ids, at::Device device) {
  const at::Tensor hidden_ND = model->hidden(moved(pack({ids}), device), nullptr);
  const Head head = model->head(0);
  const at::Tensor target = at::tensor(std::vector<int64_t>(ids.begin() + 1, ids.end()), at::kLong).to(device);
  return nn::log_likelihood(hidden_ND.slice(0, 0, hidden_ND.size(0) - 1), target, head);
}

TEST_P(EveryModelOnCuda, GivesTheLogProbabilitiesAndGradientsOfTransformers) {
  each(at::kFloat, [&](ModelUnderTest& model, const ParityCase& about, at::Device cuda) {
    model.require_gradients();
    std::vector<at::Tensor> parts;
    for (size_t r = 0; r < about.ids.size(); ++r) {
      parts.push_back(scores(model, about.ids[r], cuda));
      EXPECT_TRUE(close(parts.back().cpu(), at::tensor(about.logprobs[r], at::kDouble), 2e-5));
    }
    const at::Tensor logprob = at::cat(parts);
    (logprob * (1 + noise("loss", logprob.numel()) / 2).to(cuda)).sum().backward();
    double whole = 0;
    for (const auto& [name, expected] : about.gradients) whole = std::max(whole, expected[1]);
    for (const auto& [name, gradient] : model.gradients()) {
      const auto& [dot, norm] = about.gradients.at(name);
      EXPECT_NEAR(gradient.cpu().to(at::kDouble).norm().item<double>(), norm, 2e-4 * std::max(norm, 1e-3 * whole)) << name;
    }
  });
}

TEST_P(EveryModelOnCuda, ComesCloseInBfloat16AndGivesTheSameFromItsCache) {
  const at::NoGradGuard no_grad;
  each(at::kBFloat16, [&](ModelUnderTest& model, const ParityCase& about, at::Device cuda) {
    const std::vector<int64_t>& row = about.ids[1];
    const at::Tensor made = scores(model, row, cuda).cpu();
    EXPECT_LT((made - at::tensor(about.logprobs[1], at::kFloat)).abs().mean().item<float>(), 0.2);

    const auto cache = model->cache(2, 64);
    const auto step = [&](int64_t begin, int64_t end) {
      Batch batch = moved(pack({std::vector<int64_t>(row.begin() + begin, row.begin() + end)}), cuda);
      batch.segments[0].slot = 1;
      batch.positions_AN.add_(begin);
      return model->hidden(batch, cache.get());
    };
    const at::Tensor whole = model->hidden(moved(pack({row}), cuda), nullptr);
    const at::Tensor first = step(0, 11), second = step(11, 12);
    EXPECT_TRUE(close(first.cpu(), whole.slice(0, 0, 11).cpu(), 0.1));
    EXPECT_TRUE(close(second.cpu(), whole.slice(0, 11, 12).cpu(), 0.1));
  });
}

INSTANTIATE_TEST_SUITE_P(Every, EveryModelOnCuda, ::testing::ValuesIn(on_cuda(model_names())), [](const auto& info) { return info.param; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EveryModelOnCuda);

}  // namespace
}  // namespace attune::testing
