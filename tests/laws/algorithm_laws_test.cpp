// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "laws/subjects.h"
#include "nn/likelihood.h"

namespace attune::laws {
namespace {

at::Tensor doubles(const Json& numbers) { return at::tensor(numbers.get<std::vector<double>>(), at::kDouble); }

Scores scores_of(const Json& batch, bool pairs) {
  Scores scores;
  scores.logprob_U = doubles(batch.at("logprob")).set_requires_grad(true);
  scores.reference_U = doubles(batch.at("reference"));
  scores.weight_U = doubles(batch.at("weight"));
  std::vector<int64_t> sequence, chosen, rejected;
  std::vector<double> lengths;
  for (const int64_t length : batch.at("lengths").get<std::vector<int64_t>>()) {
    sequence.insert(sequence.end(), size_t(length), int64_t(lengths.size()));
    lengths.push_back(double(length));
  }
  for (int64_t b = 0; pairs && b + 1 < int64_t(lengths.size()); b += 2) chosen.push_back(b), rejected.push_back(b + 1);
  scores.sequence_U = at::tensor(sequence, at::kLong);
  scores.length_B = at::tensor(lengths, at::kDouble);
  scores.chosen_P = at::tensor(chosen, at::kLong);
  scores.rejected_P = at::tensor(rejected, at::kLong);
  return scores;
}

/// The algorithm's loss on packed samples under `model`, with made-up reference scores, ready for backward().
Loss loss_on(const AlgorithmUnderLaw& subject, ModelUnderLaw& model, std::span<const Encoded* const> samples) {
  MicroBatch micro = pack(samples, model.model->shape().position_axes, at::kCPU);
  micro.scores.logprob_U = log_likelihood(*model.model, micro);
  // A reference that depends on the unit's content alone, so that it is the same in every packing.
  micro.scores.reference_U = -2.0 - (micro.target_U % 7).to(at::kFloat) * 0.3;
  return subject.algorithm->loss(micro.scores);
}

class AlgorithmLaw : public ::testing::TestWithParam<std::string> {};

TEST_P(AlgorithmLaw, LossAndGradientEqualTheFormulaInFp64) {
  const Json golden = companion("algorithms", GetParam(), "golden.json");
  ASSERT_FALSE(golden.at("cases").empty());
  for (const Json& one : golden.at("cases")) {
    const AlgorithmUnderLaw subject(GetParam(), one.at("options"));
    const Scores scores = scores_of(one.at("batch"), subject.pairs());

    const Loss loss = subject.algorithm->loss(scores);
    loss.numerator.backward();

    EXPECT_NEAR(loss.numerator.item<double>(), one.at("numerator").get<double>(),
                1e-6 * std::abs(one.at("numerator").get<double>()))
        << one.at("options");
    EXPECT_LE(relative_gap(scores.logprob_U.grad(), doubles(one.at("gradient"))), 1e-6) << one.at("options");
  }
}

TEST_P(AlgorithmLaw, GradientAgreesWithFiniteDifferencesThroughTheHead) {
  const AlgorithmUnderLaw subject(GetParam());
  ModelUnderLaw model(models().front());
  const std::vector<Encoded> samples = random_samples(model, subject.pairs(), 3, 11);
  at::Tensor head = model.model->head(0).weight_VD;
  const auto numerator = [&] { return loss_on(subject, model, pointers(samples)).numerator; };

  numerator().backward();
  const at::Tensor gradient = head.grad().clone();
  const at::Tensor direction = gradient / gradient.norm();
  const double slope = (gradient * direction).sum().item<double>();
  const at::NoGradGuard no_grad;
  const double step = 2e-2;
  head.add_(direction, step);
  const double above = numerator().item<double>();
  head.add_(direction, -2 * step);
  const double below = numerator().item<double>();

  EXPECT_NEAR((above - below) / (2 * step), slope, 5e-3 * std::abs(slope));
}

TEST_P(AlgorithmLaw, AnySplitAndOrderOfMicroBatchesGivesTheSameGradient) {
  const AlgorithmUnderLaw subject(GetParam());
  ModelUnderLaw model(models().front());
  const std::vector<Encoded> samples = random_samples(model, subject.pairs(), 9, 5);
  loss_on(subject, model, pointers(samples)).numerator.backward();
  const at::Tensor whole = model.take_gradient();

  for (const std::vector<std::vector<size_t>>& split :
       std::vector<std::vector<std::vector<size_t>>>{{{8, 2, 4}, {0, 1}, {7, 6, 5, 3}}, {{3}, {1}, {4}, {0}, {5}, {8}, {2}, {6}, {7}}}) {
    for (const std::vector<size_t>& bin : split) {
      std::vector<const Encoded*> part;
      for (const size_t i : bin) part.push_back(&samples[i]);
      loss_on(subject, model, part).numerator.backward();
    }
    EXPECT_LE(relative_gap(model.take_gradient(), whole), 2e-5);
  }
}

TEST_P(AlgorithmLaw, SharedPromptsGiveTheGradientOfSeparateOnes) {
  const AlgorithmUnderLaw subject(GetParam());
  ModelUnderLaw model(models().front());

  const Loss shared = loss_on(subject, model, pointers(random_samples(model, subject.pairs(), 6, 3, true)));
  shared.numerator.backward();
  const at::Tensor once = model.take_gradient();
  const Loss separate = loss_on(subject, model, pointers(random_samples(model, subject.pairs(), 6, 3, false)));
  separate.numerator.backward();

  EXPECT_NEAR(shared.numerator.item<double>(), separate.numerator.item<double>(), 1e-5 * std::abs(separate.numerator.item<double>()));
  EXPECT_LE(relative_gap(once, model.take_gradient()), 2e-5);
}

TEST_P(AlgorithmLaw, RaisingTheChosenAndLoweringTheRejectedNeverRaisesTheLoss) {
  const AlgorithmUnderLaw subject(GetParam());
  for (const Json& one : companion("algorithms", GetParam(), "golden.json").at("cases")) {
    if (!one.value("monotone", true)) continue;  // The formula itself bends, as with smoothed labels.
    const AlgorithmUnderLaw with_options(GetParam(), one.at("options"));
    const Scores scores = scores_of(one.at("batch"), subject.pairs());

    with_options.algorithm->loss(scores).numerator.backward();

    const at::Tensor by_sequence = scores.sum(scores.logprob_U.grad());
    const at::Tensor rejected = (scores.sequence_U % 2).to(at::kDouble);
    const at::Tensor sign = subject.pairs() ? 1 - 2 * rejected : at::ones_like(rejected);
    EXPECT_LE((scores.logprob_U.grad() * sign).max().item<double>(), 0.0) << one.at("options");
  }
}

TEST_P(AlgorithmLaw, EqualLengthPairsAndEmptyAnswersStayFinite) {
  const AlgorithmUnderLaw subject(GetParam());
  Json batch = {{"logprob", {-1.0, -2.0, -0.5, -3.0, -1.5}}, {"reference", {-1.1, -1.9, -0.7, -2.0, -1.5}},
                {"weight", {1.0, 1.0, 1.0, 1.0, 1.0}},       {"lengths", {2, 2, 1, 0}}};
  const Scores scores = scores_of(batch, subject.pairs());

  const Loss loss = subject.algorithm->loss(scores);
  loss.numerator.backward();

  EXPECT_TRUE(std::isfinite(loss.numerator.item<double>()));
  EXPECT_TRUE(at::isfinite(scores.logprob_U.grad()).all().item<bool>());
  for (const Metric& metric : loss.metrics) EXPECT_TRUE(at::isfinite(metric.values).all().item<bool>()) << metric.name;
}

INSTANTIATE_TEST_SUITE_P(Every, AlgorithmLaw, ::testing::ValuesIn(algorithms()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace attune::laws
