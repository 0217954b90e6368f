// SPDX-License-Identifier: Apache-2.0
// A cost model (Dai et al., 2024, eq. 6): costs C are above zero for unsafe answers and below for safe ones, and the answer that
// is preferred for its safety costs less. With g = 1 for an unsafe answer and -1 for a safe one:
//   loss = -log sigmoid(C_l - C_w) + k [-log sigmoid(g_w C_w) - log sigmoid(g_l C_l)] + d (C_w^2 + C_l^2)
#include "attune/algorithm.h"
#include "attune/loss_terms.h"

namespace {

using namespace attune;

class Cost final : public Algorithm {
 public:
  explicit Cost(Value options) : sign_weight_(options["sign_weight"].number()), decay_(options["regularization"].number() >= 0 ? options["regularization"].number() : options["profile"].text() == "align-anything" ? 0.0005 : 0.0) {}

  Needs needs() const override { return {.values = 1}; }

  std::string formula() const override {
    return "-ls(C_l - C_w) + " + digits(sign_weight_) + " [-ls(g_w C_w) - ls(g_l C_l)], g = 1 if unsafe, else -1" +
           (decay_ > 0 ? " + " + digits(decay_) + " (C_w^2 + C_l^2)" : "") + ", per pair";
  }

  Loss loss(const Scores& scores) const override {
    const at::Tensor cost_B = answer_values(scores);
    const auto [w, l] = scores.pairs(cost_B);
    const auto [sign_w, sign_l] = scores.pairs(at::log_sigmoid((1 - 2 * scores.safe_B) * cost_B));
    at::Tensor loss_P = logistic(l - w) - sign_weight_ * (sign_w + sign_l);
    if (decay_ > 0) loss_P = loss_P + decay_ * (w.square() + l.square());
    return {.numerator = loss_P.sum(),
            .unit = Unit::kPair,
            .metrics = {{"cost/chosen", w.detach()},
                        {"cost/rejected", l.detach()},
                        {"cost/accuracy", (w < l).to(at::kFloat)},
                        {"cost/sign_accuracy", ((cost_B < 0) == (scores.safe_B > 0.5)).to(at::kFloat)}}};
  }

 private:
  double sign_weight_, decay_;
};

ATTUNE_ALGORITHM(cost, "cost", Cost);

}  // namespace

ATTUNE_PLUGIN(&cost)
