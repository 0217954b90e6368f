// SPDX-License-Identifier: Apache-2.0
#include "nn/divergence.h"
#include "nn/top_divergence.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "attune/error.h"
#include "tests/model/model_under_test.h"

namespace attune::testing {
namespace {

struct Case {
  const char* name;
  DivergenceKind kind;
  double scale = 1, softcap = 0;
  bool bias = false;
};
const Case kCases[] = {{"forward", {DivergenceKind::kForward}},
                       {"reverse", {DivergenceKind::kReverse}},
                       {"js", {DivergenceKind::kJs}},
                       {"js, mostly teacher", {DivergenceKind::kJs, 0.9}},
                       {"temperature", {DivergenceKind::kReverse, 0.5, 1.7}, 0.6},
                       {"soft-cap and bias", {DivergenceKind::kJs, 0.3, 0.8}, 1.2, 2.0, true},
                       {"forward, soft-cap", {DivergenceKind::kForward, 0.5, 1}, 1, 3.0}};

at::Tensor log_probabilities(const at::Tensor& hidden, const Head& head, double temperature) {
  at::Tensor z = at::mm(hidden, head.weight_VD.t());
  if (head.bias_V.defined()) z = z + head.bias_V;
  z = z * head.scale;
  if (head.softcap != 0) z = head.softcap * at::tanh(z / head.softcap);
  return at::log_softmax(z / temperature, -1);
}

/// The definition, all logits at once.
at::Tensor plain(const at::Tensor& s, const at::Tensor& t, const DivergenceKind& kind) {
  const auto kl = [](const at::Tensor& p, const at::Tensor& q) { return (p * (p.log() - q.log())).sum(1); };
  const at::Tensor student = s.exp(), teacher = t.exp();
  if (kind.kind == DivergenceKind::kForward) return kl(teacher, student);
  if (kind.kind == DivergenceKind::kReverse) return kl(student, teacher);
  const at::Tensor mixture = kind.beta * teacher + (1 - kind.beta) * student;
  return kind.beta * kl(teacher, mixture) + (1 - kind.beta) * kl(student, mixture);
}

TEST(Divergence, EqualsItsDefinitionAndGradient) {
  for (const Case& row : kCases) {
    for (const auto dtype : {at::kFloat, at::kDouble}) {
      at::manual_seed(3);
      const at::Tensor hidden = at::randn({19, 12}, at::kDouble), weight = at::randn({301, 12}, at::kDouble) * 0.4;
      const at::Tensor bias = at::randn({301}, at::kDouble), teacher_hidden = at::randn({19, 20}, at::kDouble);
      const at::Tensor teacher_weight = at::randn({301, 20}, at::kDouble) * 0.3, c = at::randn({19}, at::kDouble);
      const auto leaves = [&](at::ScalarType type) {
        return std::array{hidden.to(type).detach().clone().requires_grad_(), weight.to(type).detach().clone().requires_grad_(),
                          bias.to(type).detach().clone().requires_grad_()};
      };
      const auto head_of = [&](const auto& leaf) { return Head{leaf[1], row.bias ? leaf[2] : at::Tensor(), row.scale, row.softcap}; };

      const auto made = leaves(dtype), expected = leaves(at::kDouble);
      const at::Tensor value = nn::divergence(made[0], head_of(made), teacher_hidden.to(dtype), Head{teacher_weight.to(dtype)}, row.kind);
      (value * c.to(dtype)).sum().backward();
      const at::Tensor right = plain(log_probabilities(expected[0], head_of(expected), row.kind.temperature),
                                     log_probabilities(teacher_hidden, Head{teacher_weight}, row.kind.temperature), row.kind);
      (right * c).sum().backward();

      const double limit = dtype == at::kFloat ? 2e-5 : 1e-12;
      EXPECT_TRUE(close(value.detach().to(at::kDouble), right.detach(), limit)) << row.name;
      for (size_t i = 0; i < (row.bias ? 3u : 2u); ++i) {
        EXPECT_TRUE(close(made[i].grad().to(at::kDouble), expected[i].grad(), limit)) << row.name << ", input " << i;
      }
    }
  }
}

/// Probabilities of the given tokens and of all others.
at::Tensor coarse(const at::Tensor& log_UV, const at::Tensor& ids_UK) {
  const at::Tensor p_UK = log_UV.exp().gather(1, ids_UK);
  return at::cat({p_UK, (1 - p_UK.sum(1, true)).clamp_min(1e-7)}, 1).log();
}

TEST(TopDivergence, EqualsItsDefinitionAndGradientAndNeverExceedsTheWhole) {
  for (const Case& row : kCases) {
    for (const int64_t k : {1, 7, 301}) {
      at::manual_seed(3);
      const at::Tensor hidden = at::randn({19, 12}, at::kDouble), weight = at::randn({301, 12}, at::kDouble) * 0.4;
      const at::Tensor bias = at::randn({301}, at::kDouble), teacher_hidden = at::randn({19, 20}), c = at::randn({19}, at::kDouble);
      const Head teacher{at::randn({301, 20}) * 0.3};
      const at::Tensor target = at::randint(0, 301, {19}, at::kLong);
      const auto leaves = [&] {
        return std::array{hidden.clone().requires_grad_(), weight.clone().requires_grad_(), bias.clone().requires_grad_()};
      };
      const auto head_of = [&](const auto& leaf) { return Head{leaf[1], row.bias ? leaf[2] : at::Tensor(), row.scale, row.softcap}; };

      const auto [ids, top] = nn::top_tokens(teacher_hidden, teacher, k, row.kind.temperature);
      const auto made = leaves(), expected = leaves();
      const at::Tensor value = nn::top_divergence(made[0], head_of(made), target, ids, top.to(at::kDouble), row.kind);
      (value * c).sum().backward();
      const at::Tensor whole_t = log_probabilities(teacher_hidden.to(at::kDouble), Head{teacher.weight_VD.to(at::kDouble)}, row.kind.temperature);
      const at::Tensor whole_s = log_probabilities(expected[0], head_of(expected), row.kind.temperature);
      const at::Tensor right = plain(coarse(whole_s, ids), coarse(whole_t, ids), row.kind);
      (right * c).sum().backward();

      EXPECT_TRUE(close(top.to(at::kDouble), whole_t.gather(1, ids), 1e-5)) << row.name;
      EXPECT_TRUE(close(value.detach(), right.detach(), 1e-5)) << row.name << ", k " << k;
      for (size_t i = 0; i < (row.bias ? 3u : 2u); ++i) EXPECT_TRUE(close(made[i].grad(), expected[i].grad(), 1e-5)) << row.name << ", k " << k << ", input " << i;
      const at::Tensor whole = plain(whole_s, whole_t, row.kind).detach();
      EXPECT_LE((value.detach() - whole).max().item<double>(), 1e-4) << row.name << ", k " << k;
      if (k == 301) {
        EXPECT_TRUE(close(value.detach(), whole, 1e-4)) << row.name;
      }
    }
  }
}

TEST(Divergence, IsZeroBetweenEqualsAndRefusesAnotherVocabulary) {
  const at::Tensor hidden = at::randn({5, 8}), weight = at::randn({40, 8});

  EXPECT_LE(nn::divergence(hidden, Head{weight}, hidden, Head{weight}, {DivergenceKind::kJs}).abs().max().item<double>(), 1e-6);
  EXPECT_THROW(nn::divergence(hidden, Head{weight}, hidden, Head{at::randn({41, 8})}, {DivergenceKind::kForward}), Error);
}

}  // namespace
}  // namespace attune::testing
