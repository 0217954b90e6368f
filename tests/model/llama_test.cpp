// SPDX-License-Identifier: Apache-2.0
// Against tests/reference/llama: models that Transformers saved, and the log-probabilities it
// computed.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "nn/likelihood.h"
#include "tests/model/saved_model.h"

namespace attune::testing {
namespace {

using Ids = std::vector<int64_t>;

class Llama : public ::testing::TestWithParam<std::string> {
 protected:
  std::string folder() const { return reference_folder() + "/" + GetParam(); }
  Json expected_ = read_json(folder() + "/expected.json");
  std::vector<Ids> rows_ = expected_["ids"].get<std::vector<Ids>>();
  SavedLlama model_{folder()};
};

TEST_P(Llama, GivesTheLogProbabilitiesOfTransformers) {
  for (size_t r = 0; r < rows_.size(); ++r) {
    const at::Tensor hidden_ND = model_->hidden(pack({rows_[r]}), nullptr);

    const at::Tensor expected =
        at::tensor(expected_["logprobs"][r].get<std::vector<double>>(), at::kDouble);
    EXPECT_TRUE(close(next_logprobs(*model_, hidden_ND, rows_[r]).to(at::kDouble), expected, 1e-5));
  }
}

TEST_P(Llama, GivesARowTheSameWhateverIsPackedBesideIt) {
  const at::Tensor packed = model_->hidden(pack({rows_[1], rows_[0], rows_[1]}), nullptr);
  const at::Tensor alone = model_->hidden(pack({rows_[0]}), nullptr);

  const auto begin = static_cast<int64_t>(rows_[1].size());
  EXPECT_TRUE(close(packed.slice(0, begin, begin + alone.size(0)), alone, 1e-5));
}

TEST_P(Llama, SharesAPromptAsIfItWereThereForEachAnswer) {
  const Ids prompt(rows_[0].begin(), rows_[0].begin() + 9),
      first(rows_[0].begin() + 9, rows_[0].end()), second(rows_[1].begin(), rows_[1].begin() + 7);
  Ids whole = prompt;
  whole.insert(whole.end(), second.begin(), second.end());
  model_.require_gradients();
  const auto p = static_cast<int64_t>(prompt.size()), a = static_cast<int64_t>(first.size()),
             b = static_cast<int64_t>(second.size());
  // Every row has its own weight in the loss; the prompt's rows count twice, as there are two
  // answers.
  at::manual_seed(1);
  const at::Tensor weight_p = at::randn({p, 1}), weight_a = at::randn({a, 1}),
                   weight_b = at::randn({b, 1});

  const at::Tensor shared = model_->hidden(share({prompt, first, second}), nullptr);
  (shared.tanh() * at::cat({2 * weight_p, weight_a, weight_b})).sum().backward();
  const auto gradients = model_.gradients();
  model_.clear_gradients();
  const at::Tensor separate = model_->hidden(pack({rows_[0], whole}), nullptr);
  (separate.tanh() * at::cat({weight_p, weight_a, weight_p, weight_b})).sum().backward();

  EXPECT_TRUE(close(shared.slice(0, 0, p + a), separate.slice(0, 0, p + a), 1e-5));
  EXPECT_TRUE(close(shared.slice(0, p + a), separate.slice(0, p + a + p), 1e-5));
  for (const auto& [name, gradient] : model_.gradients()) {
    if (name == "lm_head.weight") continue;
    EXPECT_TRUE(close(gradients.at(name), gradient, 1e-5)) << name;
  }
}

TEST_P(Llama, GivesTheSameFromItsCache) {
  const at::NoGradGuard no_grad;
  const auto cache = model_->cache(3, 64);
  const at::Tensor alone = model_->hidden(pack({rows_[1]}), nullptr);
  const auto step = [&](int64_t begin, int64_t end) {
    // Another request runs beside it, in another slot.
    Batch batch = pack({rows_[0], Ids(rows_[1].begin() + begin, rows_[1].begin() + end)});
    cache->clear(0);
    batch.segments[0].slot = 0, batch.segments[1].slot = 2;
    batch.positions_AN.slice(1, static_cast<int64_t>(rows_[0].size())).add_(begin);
    return model_->hidden(batch, cache.get()).slice(0, static_cast<int64_t>(rows_[0].size()));
  };

  // A prompt, a piece behind it, then one token at a time.
  EXPECT_TRUE(close(step(0, 11), alone.slice(0, 0, 11), 1e-5));
  EXPECT_TRUE(close(step(11, 20), alone.slice(0, 11, 20), 1e-5));
  for (int64_t i = 20; i < alone.size(0); ++i)
    EXPECT_TRUE(close(step(i, i + 1), alone.slice(0, i, i + 1), 1e-5));
  EXPECT_EQ(cache->length(2), alone.size(0));
}

TEST_P(Llama, HasAGradientForEveryParameter) {
  model_.require_gradients();

  next_logprobs(*model_, model_->hidden(pack({rows_[1]}), nullptr), rows_[1]).sum().backward();

  for (const auto& [name, gradient] : model_.gradients()) {
    ASSERT_TRUE(gradient.defined()) << name;
    EXPECT_TRUE(gradient.isfinite().all().item<bool>()) << name;
    EXPECT_GT(gradient.abs().max().item<float>(), 0) << name;
  }
}

TEST_P(Llama, ComesCloseInBfloat16) {
  const at::Tensor wide =
      next_logprobs(*model_, model_->hidden(pack({rows_[1]}), nullptr), rows_[1]);
  for (Parameter& parameter : model_->parameters())
    parameter.tensor.set_data(parameter.tensor.to(at::kBFloat16));

  const at::Tensor narrow =
      next_logprobs(*model_, model_->hidden(pack({rows_[1]}), nullptr), rows_[1]);

  EXPECT_EQ(narrow.scalar_type(), at::kFloat);
  EXPECT_LT((wide - narrow).abs().mean().item<float>(), 0.2);
}

INSTANTIATE_TEST_SUITE_P(Saved, Llama, ::testing::ValuesIn(reference_names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace attune::testing
