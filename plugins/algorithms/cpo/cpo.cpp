// SPDX-License-Identifier: Apache-2.0
// Contrastive Preference Optimization (Xu et al., 2024, eq. 4 and 5), without a reference model:
//   h = b (log pi(w) - log pi(l)),   loss = L(h) + alpha NLL(w)
// L is the logistic loss, a hinge, or IPO's square on likelihoods per token.
#include "attune/algorithm.h"
#include "attune/loss_terms.h"

namespace {

using namespace attune;

class Cpo final : public Algorithm {
 public:
  explicit Cpo(Value options)
      : beta_(options["beta"].number()),
        eps_(options["label_smoothing"].number()),
        nll_weight_(options["nll_weight"].number()),
        loss_(options["loss"].text()),
        nll_average_(by_profile(options, "nll_average", "sum", {{"trl", "batch"}})) {
    if (eps_ > 0 && loss_ != "sigmoid") throw Error("cpo: loss = \"" + loss_ + "\" has no place for label_smoothing; leave it at 0");
  }

  Needs needs() const override { return {.whole_step = nll_average_ == "batch" && nll_weight_ > 0}; }

  std::string formula() const override {
    const std::string preference = loss_ == "sigmoid" ? "logistic loss of h" : loss_ == "hinge" ? "max(0, 1 - h)" : "(a_w - a_l - 1/(2b))^2";
    return preference + " + " + digits(nll_weight_) + " " + nll_name(nll_average_) + "; h = b (log p(w) - log p(l)), b = " + digits(beta_) +
           (eps_ > 0 ? ", e = " + digits(eps_) : "") + ", per pair";
  }

  Loss loss(const Scores& scores) const override {
    const auto [w, l] = scores.pairs(scores.sum(scores.logprob_U));
    at::Tensor loss_P;
    if (loss_ == "ipo") {
      const auto [a_w, a_l] = scores.pairs(scores.mean(scores.logprob_U));
      loss_P = (a_w - a_l - 1 / (2 * beta_)).square();
    } else {
      const at::Tensor h_P = beta_ * (w - l);
      loss_P = loss_ == "hinge" ? (1 - h_P).relu() : logistic(h_P, eps_);
    }
    if (nll_weight_ > 0) loss_P = loss_P + nll_weight_ * chosen_nll(scores, nll_average_);
    return {.numerator = loss_P.sum(), .unit = Unit::kPair, .metrics = preference_metrics(beta_ * w.detach(), beta_ * l.detach())};
  }

 private:
  double beta_, eps_, nll_weight_;
  std::string loss_, nll_average_;
};

ATTUNE_ALGORITHM(cpo, "cpo", Cpo);

}  // namespace

ATTUNE_PLUGIN(&cpo)
