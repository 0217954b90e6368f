// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <numeric>
#include <set>

#include "kernel/engine/step_loss.h"
#include "laws/subjects.h"
#include "nn/likelihood.h"

namespace attune::laws {
namespace {

at::Tensor doubles(const Json& numbers) { return at::tensor(numbers.get<std::vector<double>>(), at::kDouble); }

/// Scores as the engine makes them, of numbers written down.
Scores scores_of(const Json& batch) {
  std::vector<Encoded> samples;
  const auto lengths = batch.at("lengths").get<std::vector<int64_t>>();
  const auto labelled = [&](const char* name, size_t b) { return batch.value(name, Json::array()).size() > b ? batch[name][b].get<float>() : NAN; };
  const auto labelled_B = [&](const char* name, at::ScalarType type) { return doubles(batch.at(name)).to(type); };
  size_t b = 0;
  for (const size_t answers : batch.at("answers").get<std::vector<size_t>>()) {
    Encoded& sample = samples.emplace_back();
    sample.ids = {0}, sample.positions = {0}, sample.branches = {{0, 1, -1}};
    sample.sequences = int64_t(answers);
    for (size_t a = 0; a < answers; ++a, ++b) {
      sample.labels.push_back({labelled("rating", b), labelled("desirable", b), labelled("ratio", b)});
      for (int64_t u = 0; u < lengths[b]; ++u) sample.units.push_back({0, 0, int64_t(a), 1, 0});
    }
  }
  Scores scores = pack(pointers(samples), 1, at::kCPU).scores;
  scores.safe_B = labelled_B("safe", at::kDouble);
  scores.class_B = labelled_B("kind", at::kLong);
  scores.mark_M = at::tensor(batch.at("mark").get<std::vector<int64_t>>(), at::kLong);
  scores.step_M = doubles(batch.at("step"));
  std::vector<double> values;
  for (const Json& row : batch.at("value")) values.insert(values.end(), row.begin(), row.end());
  scores.value_MK = at::tensor(values, at::kDouble).view({scores.mark_M.size(0), -1}).set_requires_grad(true);
  for (at::Tensor* counted : {&scores.length_B, &scores.rating_B, &scores.desirable_B, &scores.ratio_B}) *counted = counted->to(at::kDouble);
  scores.logprob_U = doubles(batch.at("logprob")).set_requires_grad(true);
  scores.reference_U = doubles(batch.at("reference"));
  scores.weight_U = doubles(batch.at("weight"));
  scores.uniform_U = doubles(batch.at("uniform")).set_requires_grad(true);
  scores.collision_U = doubles(batch.at("collision"));
  scores.divergence_U = doubles(batch.at("divergence")).set_requires_grad(true);
  scores.mismatched_S = doubles(batch.at("mismatched"));
  scores.mismatched_reference_S = doubles(batch.at("mismatched_reference"));
  return scores;
}

/// By the scores that the algorithm reads, in one row.
at::Tensor gradient_of(const AlgorithmUnderLaw& subject, const Scores& scores) {
  if (subject.values()) return scores.value_MK.grad().reshape(-1);
  return scores.logprob_U.grad().defined() ? scores.logprob_U.grad() : at::zeros_like(scores.logprob_U);
}

/// A training step on scores, as far as backward().
Loss learn(Algorithm& algorithm, const Scores& scores) {
  if (algorithm.needs().whole_step) algorithm.observe(scores);
  Loss loss = algorithm.loss(scores);
  loss.numerator.backward();
  return loss;
}

/// One step of samples split as `split` says (empty: not at all), as far as backward().
double learn(const AlgorithmUnderLaw& subject, ModelUnderLaw& model, const std::vector<Encoded>& samples,
             std::vector<std::vector<size_t>> split = {}) {
  if (split.empty()) split.emplace_back(samples.size()), std::iota(split[0].begin(), split[0].end(), size_t(0));
  std::vector<MicroBatch> micros;
  for (const std::vector<size_t>& bin : split) {
    std::vector<const Encoded*> part;
    for (const size_t i : bin) part.push_back(&samples[i]);
    micros.push_back(prepared(model, part));
  }
  return step_loss(*subject.algorithm, model.policy(subject), micros, true, [] {}).numerator;
}

class AlgorithmLaw : public ::testing::TestWithParam<std::string> {};

TEST_P(AlgorithmLaw, LossAndGradientEqualTheFormulaInFp64) {
  const Json golden = companion("algorithms", GetParam(), "golden.json");
  ASSERT_FALSE(golden.at("cases").empty());
  double worst = 0;
  for (const Json& one : golden.at("cases")) {
    const AlgorithmUnderLaw subject(GetParam(), one.at("options"));
    const Scores scores = scores_of(one.at("batch"));

    const double loss = learn(*subject.algorithm, scores).numerator.item<double>();

    const double expected = one.at("numerator");
    EXPECT_NEAR(loss, expected, 1e-6 * std::abs(expected)) << one.at("options");
    const double gap = relative_gap(gradient_of(subject, scores), doubles(one.at("gradient")));
    EXPECT_LE(gap, 1e-6) << one.at("options");
    const double error = std::max(std::abs(loss - expected) / std::abs(expected), gap);
    std::cout << "| " << GetParam() << " | " << one.at("options") << " | " << one.at("shape").get<std::string>() << " | formula | " << error << " |\n";
    worst = std::max(worst, error);
    if (one.contains("divergence_gradient")) {
      EXPECT_LE(relative_gap(scores.divergence_U.grad(), doubles(one.at("divergence_gradient"))), 1e-6) << one.at("options");
    }
    if (one.contains("uniform_gradient")) {
      EXPECT_LE(relative_gap(scores.uniform_U.grad(), doubles(one.at("uniform_gradient"))), 1e-6) << one.at("options");
    }
  }
  RecordProperty("cases", int(golden.at("cases").size()));
  RecordProperty("largest_relative_error", std::to_string(worst));
  std::cout << GetParam() << ": " << golden.at("cases").size() << " cases, largest relative error " << worst << "\n";
}

Json peers_of(const std::string& algorithm) { return companion("algorithms", algorithm, "golden.json").value("peers", Json::array()); }

/// Of the algorithms that a peer has as well.
class PeerLaw : public AlgorithmLaw {};

TEST_P(PeerLaw, LossEqualsThatOfAPeerUnderItsConventions) {
  for (const Json& one : peers_of(GetParam())) {
    const AlgorithmUnderLaw subject(GetParam(), one.at("options"));
    const Scores scores = scores_of(one.at("batch"));

    const double loss = learn(*subject.algorithm, scores).numerator.item<double>();

    EXPECT_NEAR(loss, one.at("numerator").get<double>(), 1e-5 * std::abs(one.at("numerator").get<double>())) << one.at("options");
    const double gap = relative_gap(scores.logprob_U.grad(), doubles(one.at("gradient")));
    EXPECT_LE(gap, 1e-5) << one.at("options");
    const double error = std::max(std::abs(loss / one.at("numerator").get<double>() - 1), gap);
    std::cout << "| " << GetParam() << " | " << one.at("options") << " | | trl | " << error << " |\n";
  }
}

TEST_P(AlgorithmLaw, EveryChoiceAndOptionIsUsedByACase) {
  const AlgorithmUnderLaw subject(GetParam());
  const Json golden = companion("algorithms", GetParam(), "golden.json");
  const Json declared = subject.metadata.value("options", Json::object());
  for (const auto& [name, schema] : declared.items()) {
    std::set<std::string> seen;
    if (schema.contains("default")) seen.insert(schema["default"].dump());
    for (const Json& one : golden.at("cases")) {
      if (one.at("options").contains(name)) seen.insert(one["options"][name].dump());
    }
    EXPECT_GT(seen.size(), schema.contains("default") ? 1u : 0u) << "no case sets " << name;
    for (const Json& choice : schema.value("choices", Json::array())) {
      EXPECT_TRUE(seen.contains(choice.dump())) << "no case has " << name << " = " << choice;
    }
  }
}

TEST_P(AlgorithmLaw, GradientAgreesWithFiniteDifferencesThroughTheHead) {
  const AlgorithmUnderLaw subject(GetParam());
  ModelUnderLaw model(any_model());
  const std::vector<Encoded> samples = samples_for(subject, model, 3, 11);
  at::Tensor head = subject.values() ? model.value.weight_KD : model.model->head(0).weight_VD;

  learn(subject, model, samples);
  const at::Tensor gradient = head.grad().clone();
  const at::Tensor direction = gradient / gradient.norm();
  const double slope = (gradient * direction).sum().item<double>();
  std::vector<MicroBatch> micros;
  micros.push_back(prepared(model, pointers(samples)));
  const at::NoGradGuard no_grad;
  const auto numerator = [&] { return step_loss(*subject.algorithm, model.policy(subject), micros, false, [] {}).numerator; };
  const double step = 2e-2;
  head.add_(direction, step);
  const double above = numerator();
  head.add_(direction, -2 * step);
  const double below = numerator();

  EXPECT_NEAR((above - below) / (2 * step), slope, 5e-3 * std::abs(slope));
}

TEST_P(AlgorithmLaw, AnySplitAndOrderOfMicroBatchesGivesTheSameGradient) {
  for (const Json& one : companion("algorithms", GetParam(), "golden.json").at("cases")) {
    if (one.at("shape") == "ranking") continue;  // Other samples than these.
    ModelUnderLaw model(any_model());
    const auto gradient = [&](const std::vector<std::vector<size_t>>& split) {
      const AlgorithmUnderLaw subject(GetParam(), one.at("options"));  // Remembers nothing of the split before.
      learn(subject, model, samples_for(subject, model, 9, 5), split);
      return model.take_gradient();
    };
    const at::Tensor whole = gradient({});

    EXPECT_LE(relative_gap(gradient({{8, 2, 4}, {0, 1}, {7, 6, 5, 3}}), whole), 2e-5) << one.at("options");
    EXPECT_LE(relative_gap(gradient({{3}, {1}, {4}, {0}, {5}, {8}, {2}, {6}, {7}}), whole), 2e-5) << one.at("options");
  }
}

TEST_P(AlgorithmLaw, SharedPromptsGiveTheGradientOfSeparateOnes) {
  ModelUnderLaw model(any_model());
  const auto of = [&](bool shared) {
    const AlgorithmUnderLaw subject(GetParam());
    const double loss = learn(subject, model, samples_for(subject, model, 6, 3, shared));
    return std::pair(loss, model.take_gradient());
  };

  const auto [shared, once] = of(true);
  const auto [separate, twice] = of(false);

  EXPECT_NEAR(shared, separate, 1e-5 * std::abs(separate));
  EXPECT_LE(relative_gap(once, twice), 2e-5);
}

TEST_P(AlgorithmLaw, RaisingTheChosenAndLoweringTheRejectedNeverRaisesTheLoss) {
  for (const Json& one : companion("algorithms", GetParam(), "golden.json").at("cases")) {
    if (!one.at("monotone").get<bool>()) continue;  // The formula itself bends, as with smoothed labels.
    const AlgorithmUnderLaw subject(GetParam(), one.at("options"));
    const Scores scores = scores_of(one.at("batch"));

    learn(*subject.algorithm, scores);

    at::Tensor sign_B = at::ones_like(scores.length_B);
    if (subject.shape() == "unpaired") sign_B = 2 * scores.desirable_B - 1;
    // Of a ranking the answers between the first and the last are pulled both ways.
    else if (subject.answers() > 1) sign_B = (scores.rank_B == 0).to(at::kDouble) - (scores.sample_B.roll(-1) != scores.sample_B).to(at::kDouble);
    const at::Tensor sign = sign_B.index_select(0, subject.values() ? scores.mark_M : scores.sequence_U);
    EXPECT_LE((gradient_of(subject, scores) * sign).max().item<double>(), 0.0) << one.at("options");
  }
}

TEST_P(AlgorithmLaw, EqualLengthPairsAndEmptyAnswersStayFinite) {
  for (const Json& one : companion("algorithms", GetParam(), "golden.json").at("cases")) {
    const AlgorithmUnderLaw subject(GetParam(), one.at("options"));
    Json batch = one.at("batch");
    const int answers = batch["answers"][0];
    batch["answers"] = Json(std::vector<int>(size_t(6 / answers), answers));
    batch["lengths"] = {2, 2, 1, 0, 3, 3};
    batch["mark"] = {0, 1, 2, 3, 4, 5};
    for (const char* name : {"value", "step", "safe", "kind", "rating", "desirable", "ratio"}) {
      if (!batch.contains(name)) continue;
      const Json first = batch[name].size() > 0 ? batch[name][0] : Json();
      while (batch[name].size() < 6) batch[name].push_back(first);
      while (batch[name].size() > 6) batch[name].erase(batch[name].size() - 1);
    }
    for (const char* name : {"logprob", "reference", "weight", "uniform", "collision", "divergence"}) {
      Json cut = Json::array();
      for (size_t u = 0; u < 11; ++u) cut.push_back(batch[name][u]);
      batch[name] = cut;
    }
    for (const char* name : {"mismatched", "mismatched_reference"}) batch[name] = Json(std::vector<double>(size_t(6 / answers), -3.0));
    if (one.at("shape") == "ranking") continue;
    const Scores scores = scores_of(batch);

    const Loss loss = learn(*subject.algorithm, scores);

    EXPECT_TRUE(std::isfinite(loss.numerator.item<double>())) << one.at("options");
    EXPECT_TRUE(at::isfinite(gradient_of(subject, scores)).all().item<bool>()) << one.at("options");
    for (const Metric& metric : loss.metrics) EXPECT_TRUE(at::isfinite(metric.values).all().item<bool>()) << metric.name;
  }
}

TEST_P(AlgorithmLaw, TheFormulaInForceIsOneLineThatChangesWithTheOptions) {
  std::set<std::string> formulas;
  size_t cases = 0;
  for (const Json& one : companion("algorithms", GetParam(), "golden.json").at("cases")) {
    if (one.at("shape") == "ranking" && !one.at("options").contains("loss")) continue;
    const AlgorithmUnderLaw subject(GetParam(), one.at("options"));
    const std::string formula = subject.algorithm->formula();
    EXPECT_EQ(formula.find('\n'), formula.npos);
    EXPECT_FALSE(formula.empty());
    formulas.insert(formula);
    ++cases;
  }
  EXPECT_GE(formulas.size() * 10, cases * 7);  // The same options on another shape are the same formula.
}

std::vector<std::string> with_peers() {
  std::vector<std::string> found = algorithms();
  std::erase_if(found, [](const std::string& name) { return peers_of(name).empty(); });
  return found;
}

INSTANTIATE_TEST_SUITE_P(Every, PeerLaw, ::testing::ValuesIn(with_peers()), [](const auto& info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(Every, AlgorithmLaw, ::testing::ValuesIn(algorithms()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace attune::laws
