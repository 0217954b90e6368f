// SPDX-License-Identifier: Apache-2.0
// What an algorithm is held to, on scores that are made up: functions of each token, so that they are the same however samples
// are packed.
#include <ATen/ATen.h>

#include <cmath>

#include "kernel/engine/conformance/made_up.h"
#include "kernel/engine/conformance/trials.h"

namespace attune::conformance {
namespace {

struct Subject {
  explicit Subject(const Setting& setting) : object(setting.make(setting.options)), algorithm(*static_cast<Algorithm*>(object->object)) {}
  Plugin<attune_object> object;
  Algorithm& algorithm;
};

std::string shape_of(const Json& metadata) {
  const Json sample = metadata.value("sample", Json("supervised"));
  return sample.is_array() ? sample.at(0).get<std::string>() : sample.get<std::string>();
}

size_t answers_of(const Json& metadata) {
  const std::string shape = shape_of(metadata);
  return metadata.value("answers", shape == "pair" || shape == "ranking" ? size_t(2) : size_t(1));
}

/// Samples as an algorithm asks for them, with labels.
std::vector<Encoded> samples_for(const Algorithm& algorithm, const Json& metadata, size_t n, uint64_t seed) {
  ModelShape shape;
  shape.vocabulary = 61;
  const size_t answers = answers_of(metadata);
  const Needs needs = algorithm.needs();
  std::vector<Encoded> samples = random_samples(shape, int64_t(answers), n, seed);
  for (size_t s = 0; s < samples.size(); ++s) {
    for (size_t a = 0; a < answers; ++a) samples[s].labels.push_back(made_up_labels(s, a, answers));
    if (needs.values > 0) add_marks(samples[s], answers, needs.steps);
  }
  return samples;
}

/// A number for each token: its own, and that of its sequence's weight.
at::Tensor wave(const at::Tensor& ids, double scale, double shift) { return at::sin(ids.to(at::kFloat) * scale + shift); }

/// What the engine would fill in, and nothing that was not asked for.
Scores scores_for(const Algorithm& algorithm, const Json& metadata, std::span<const Encoded* const> samples) {
  const Needs needs = algorithm.needs();
  MicroBatch micro = prepared(1, samples);
  Scores scores = micro.scores;
  const at::Tensor& target = micro.target_U;
  if (!metadata.value("reference", true)) scores.reference_U = at::Tensor();
  if (needs.values == 0) scores.logprob_U = (-2.2 + wave(target, 1.7, 0.3)).set_requires_grad(true);
  if (needs.uniform) scores.uniform_U = (-4 + wave(target, 0.9, 1)).set_requires_grad(true);
  if (needs.collision) scores.collision_U = -1.5 + 0.3 * wave(target, 2.1, 2);
  if (needs.divergence.kind != DivergenceKind::kNone) scores.divergence_U = (0.6 + 0.4 * wave(target, 1.3, 0.5)).set_requires_grad(true);
  if (!needs.mismatched) scores.mismatched_S = scores.mismatched_reference_S = at::Tensor();
  if (needs.values > 0) {
    const at::Tensor row = micro.batch.ids_N.index_select(0, micro.mark_row_M).unsqueeze(1) + at::arange(needs.values).unsqueeze(0);
    scores.value_MK = (0.7 * wave(row, 1.1, 0.2)).set_requires_grad(true);
  }
  return scores;
}

std::vector<at::Tensor> leaves(const Scores& scores) {
  std::vector<at::Tensor> found;
  for (const at::Tensor& one : {scores.logprob_U, scores.uniform_U, scores.divergence_U, scores.value_MK}) {
    if (one.defined() && one.requires_grad()) found.push_back(one);
  }
  return found;
}

/// A training step's loss.
Loss learn(Algorithm& algorithm, const Scores& scores) {
  if (algorithm.needs().whole_step) algorithm.observe(scores);
  Loss loss = algorithm.loss(scores);
  if (!loss.numerator.defined() || loss.numerator.numel() != 1) throw Error("loss: expected a scalar numerator, found another shape");
  return loss;
}

double number(const Loss& loss) { return loss.numerator.to(at::kDouble).item<double>(); }

Scores whole_scores(const Subject& one, const Setting& setting, const std::vector<Encoded>& samples) {
  return scores_for(one.algorithm, setting.metadata, pointers(samples));
}

std::string gradients(const Setting& setting) {
  Subject one(setting);
  const std::vector<Encoded> samples = samples_for(one.algorithm, setting.metadata, 7, 11);
  const Scores scores = whole_scores(one, setting, samples);
  const std::vector<at::Tensor> inputs = leaves(scores);
  if (inputs.empty()) throw Error("needs: expected log-likelihoods, a divergence or values to be asked for, found nothing to learn from");
  const Loss loss = learn(one.algorithm, scores);
  if (!loss.numerator.requires_grad()) throw Error("loss: the numerator does not depend on what the policy says: nothing would be learned");
  loss.numerator.backward();
  std::vector<at::Tensor> directions;
  double size = 0;
  for (const at::Tensor& input : inputs) {
    const at::Tensor gradient = input.grad().defined() ? input.grad() : at::zeros_like(input);
    if (!at::isfinite(gradient).all().item<bool>()) throw Error("loss: a gradient is not finite");
    directions.push_back(gradient.clone());
    size += gradient.square().sum(at::kDouble).item<double>();
  }
  size = std::sqrt(size);
  if (size == 0) throw Error("loss: every gradient is zero");
  const at::NoGradGuard no_grad;
  double gap = 1;
  // The smallest of several steps: a loss may have a kink near by, or little beyond rounding.
  for (const double step : {1e-2, 3e-3, 3e-2, 1e-3}) {
    const auto move = [&](double by) {
      for (size_t i = 0; i < inputs.size(); ++i) inputs[i].data().add_(directions[i], by / size);
      return number(one.algorithm.loss(scores));
    };
    const double above = move(step), below = move(-2 * step);
    move(step);
    gap = std::min(gap, std::abs((above - below) / (2 * step) - size) / size);
  }
  expect_within(gap, 2e-2, "the gradient against finite differences");
  return "";
}

std::string splits(const Setting& setting) {
  Subject one(setting);
  if (one.algorithm.needs().whole_step) return "it asks for the whole step at once";
  const std::vector<Encoded> samples = samples_for(one.algorithm, setting.metadata, 9, 5);
  const double whole = number(learn(one.algorithm, whole_scores(one, setting, samples)));
  const std::vector<std::vector<size_t>> splits[] = {{{8, 2, 4}, {0, 1}, {7, 6, 5, 3}}, {{3}, {1}, {4}, {0}, {5}, {8}, {2}, {6}, {7}}};
  for (const auto& split : splits) {
    double sum = 0;
    for (const std::vector<size_t>& part : split) {
      std::vector<const Encoded*> chosen;
      for (const size_t i : part) chosen.push_back(&samples[i]);
      sum += number(learn(one.algorithm, scores_for(one.algorithm, setting.metadata, chosen)));
    }
    expect_within(std::abs(sum - whole) / std::max(std::abs(whole), 1e-6), 1e-4,
                  "the numerators of " + std::to_string(split.size()) +
                      " micro-batches, summed, against that of all (a numerator is a sum, never a mean)");
  }
  return "";
}

std::string order(const Setting& setting) {
  const auto loss_of = [&](bool reversed) {
    Subject one(setting);
    std::vector<Encoded> samples = samples_for(one.algorithm, setting.metadata, 9, 5);
    if (reversed) std::reverse(samples.begin(), samples.end());
    return number(learn(one.algorithm, whole_scores(one, setting, samples)));
  };
  const double forward = loss_of(false);
  expect_within(std::abs(loss_of(true) - forward) / std::max(std::abs(forward), 1e-6), 1e-4, "samples in another order");
  return "";
}

std::string empty_answers(const Setting& setting) {
  Subject one(setting);
  const size_t answers = answers_of(setting.metadata);
  std::vector<Encoded> samples = samples_for(one.algorithm, setting.metadata, 5, 3);
  std::erase_if(samples[1].units, [&](const UnitOf& unit) { return unit.sequence == int64_t(answers) - 1; });
  const Scores scores = whole_scores(one, setting, samples);
  const Loss loss = learn(one.algorithm, scores);
  if (!std::isfinite(number(loss))) throw Error("loss: an empty answer makes it " + std::to_string(number(loss)));
  loss.numerator.backward();
  for (const at::Tensor& input : leaves(scores)) {
    if (input.grad().defined() && !at::isfinite(input.grad()).all().item<bool>())
      throw Error("loss: an empty answer makes a gradient that is not finite");
  }
  return "";
}

std::string extremes(const Setting& setting) {
  Subject one(setting);
  const std::vector<Encoded> samples = samples_for(one.algorithm, setting.metadata, 4, 3);
  for (const double value : {-1e-6, -60.0}) {
    Scores scores = whole_scores(one, setting, samples);
    for (const at::Tensor& input : leaves(scores)) input.data().fill_(value);
    const Loss loss = learn(one.algorithm, scores);
    loss.numerator.backward();
    bool finite = std::isfinite(number(loss));
    for (const at::Tensor& input : leaves(scores))
      finite = finite && (!input.grad().defined() || at::isfinite(input.grad()).all().item<bool>());
    if (!finite) throw Error("loss: log-likelihoods of " + std::to_string(value) + " a token make the loss or its gradient infinite");
  }
  return "";
}

std::string formulas(const Setting& setting) {
  Subject one(setting), other(setting);
  const std::string text = one.algorithm.formula();
  if (text.find_first_not_of(' ') == text.npos || text.find('\n') != text.npos)
    throw Error("formula: expected one line, found \"" + text + "\"");
  if (other.algorithm.formula() != text) throw Error("formula: a second instance says otherwise");
  return "";
}

std::string metrics(const Setting& setting) {
  Subject one(setting);
  const std::vector<Encoded> samples = samples_for(one.algorithm, setting.metadata, 5, 3);
  const Loss loss = learn(one.algorithm, whole_scores(one, setting, samples));
  if (int(loss.unit) < 0 || loss.unit > Unit::kSample) throw Error("loss: expected a unit that there is");
  for (const Metric& metric : loss.metrics) {
    if (metric.name.empty()) throw Error("metrics: expected a name, found none");
    if (!metric.values.defined()) throw Error("metric \"" + metric.name + "\": its tensor is undefined");
    if (metric.values.requires_grad()) throw Error("metric \"" + metric.name + "\": it holds on to the graph; detach it");
    if (!at::isfinite(metric.values.to(at::kFloat)).all().item<bool>()) throw Error("metric \"" + metric.name + "\" is not finite");
  }
  return "";
}

std::string pure_loss(const Setting& setting) {
  Subject one(setting);
  const std::vector<Encoded> samples = samples_for(one.algorithm, setting.metadata, 5, 3);
  const Scores scores = whole_scores(one, setting, samples);
  std::vector<at::Tensor> before;
  const at::Tensor* all[] = {&scores.logprob_U, &scores.reference_U, &scores.weight_U, &scores.length_B, &scores.value_MK};
  for (const at::Tensor* tensor : all) before.push_back(tensor->defined() ? tensor->detach().clone() : at::Tensor());
  const double first = number(learn(one.algorithm, scores));
  const double again = number(one.algorithm.loss(scores));
  if (again != first)
    throw Error("loss: the same scores give " + std::to_string(again) + " when they come again, first " + std::to_string(first));
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i].defined() && !at::equal(all[i]->detach(), before[i])) throw Error("loss: it changes the scores that it was given");
  }
  return "";
}

std::string state(const Setting& setting) {
  Subject one(setting), other(setting);
  const std::vector<Encoded> samples = samples_for(one.algorithm, setting.metadata, 6, 3);
  for (int step = 0; step < 3; ++step) learn(one.algorithm, whole_scores(one, setting, samples));
  const NamedTensors kept = one.algorithm.state(), place = other.algorithm.state();
  if (kept.size() != place.size())
    throw Error("state: a fresh instance has " + std::to_string(place.size()) + " tensors, a used one " + std::to_string(kept.size()));
  for (size_t i = 0; i < kept.size(); ++i) {
    if (kept[i].first != place[i].first || kept[i].second.sizes() != place[i].second.sizes())
      throw Error("state: expected the same names and shapes in every instance, found another \"" + place[i].first + "\"");
    place[i].second.copy_(kept[i].second);
  }
  const std::vector<Encoded> next = samples_for(one.algorithm, setting.metadata, 6, 4);
  const double expected = number(learn(one.algorithm, whole_scores(one, setting, next)));
  const double found = number(learn(other.algorithm, whole_scores(other, setting, next)));
  if (found != expected)
    throw Error("state: an instance that was given it goes on with a loss of " + std::to_string(found) + ", expected " +
                std::to_string(expected));
  return "";
}

}  // namespace

Json use_algorithm(Algorithm& algorithm, const Json& metadata, const Json& given) {
  const std::vector<Encoded> samples =
      samples_for(algorithm, metadata, given.value("samples", size_t{5}), given.value("seed", uint64_t{1}));
  const Scores scores = scores_for(algorithm, metadata, pointers(samples));
  const Loss loss = algorithm.loss(scores);
  loss.numerator.backward();
  Json made = {{"formula", algorithm.formula()}, {"numerator", std::to_string(number(loss))}, {"unit", int(loss.unit)}};
  for (const at::Tensor& input : leaves(scores))
    made["gradients"].push_back(input.grad().defined() ? std::to_string(input.grad().abs().sum(at::kDouble).item<double>()) : "none");
  for (const Metric& metric : loss.metrics) made["metrics"].push_back(metric.name);
  return made;
}

std::vector<Trial> algorithm_trials() {
  return {{{"gradients", "The gradient agrees with finite differences"}, gradients},
          {{"splits", "Micro-batches, however they are split, sum to the whole"}, splits},
          {{"order", "The order of samples changes nothing"}, order},
          {{"empty-answers", "An empty answer makes nothing infinite"}, empty_answers},
          {{"extremes", "Likelihoods near 0 and near 1 make nothing infinite"}, extremes},
          {{"formula", "The formula in force is one line"}, formulas},
          {{"metrics", "Metrics have names, are finite and hold no graph"}, metrics},
          {{"pure-loss", "The loss has no side effects"}, pure_loss},
          {{"state", "An instance that is given the state of another goes on as that one"}, state}};
}

}  // namespace attune::conformance
