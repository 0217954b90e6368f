// SPDX-License-Identifier: Apache-2.0
// Simple Preference Optimization (Meng et al., 2024, eq. 6), without a reference model. With a the mean log-likelihood per
// token of an answer:
//   h = b (a_w - a_l) - gamma,   loss = -(1 - eps) log sigmoid(h) - eps log sigmoid(-h)
// alpha != 0 replaces a by (1 - e^(-alpha a)) / alpha (AlphaPO: Gupta et al., 2025, eq. 5).
#include "attune/algorithm.h"
#include "attune/loss_terms.h"

namespace {

using namespace attune;

class Simpo final : public Algorithm {
 public:
  explicit Simpo(Value options)
      : beta_(options["beta"].number()),
        gamma_(options["gamma"].number()),
        eps_(options["label_smoothing"].number()),
        alpha_(options["alpha"].number()),
        nll_weight_(options["nll_weight"].number() >= 0 ? options["nll_weight"].number() : options["profile"].text() == "trl" ? 1.0 : 0.0) {}

  Needs needs() const override { return {.whole_step = nll_weight_ > 0}; }

  std::string formula() const override {
    const std::string a = alpha_ == 0 ? "a" : "(1 - exp(-" + digits(alpha_) + " a)) / " + digits(alpha_);
    return "logistic loss of " + digits(beta_) + " (u_w - u_l) - " + digits(gamma_) + ", u = " + a + ", a = mean log p(y)" +
           (nll_weight_ > 0 ? " + " + digits(nll_weight_) + " " + nll_name("batch") : "") +
           (eps_ > 0 ? ", e = " + digits(eps_) : "") + ", per pair";
  }

  Loss loss(const Scores& scores) const override {
    at::Tensor reward_B = scores.mean(scores.logprob_U);
    if (alpha_ != 0) reward_B = -at::expm1(-alpha_ * reward_B) / alpha_;
    const auto [w, l] = scores.pairs(beta_ * reward_B);
    at::Tensor loss_P = logistic(w - l - gamma_, eps_);
    if (nll_weight_ > 0) loss_P = loss_P + nll_weight_ * chosen_nll(scores, "batch");
    return {.numerator = loss_P.sum(), .unit = Unit::kPair, .metrics = preference_metrics(w.detach(), l.detach())};
  }

 private:
  double beta_, gamma_, eps_, alpha_, nll_weight_;
};

ATTUNE_ALGORITHM(simpo, "simpo", Simpo);

}  // namespace

ATTUNE_PLUGIN(&simpo)
