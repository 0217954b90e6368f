// SPDX-License-Identifier: Apache-2.0
// Triple Preference Optimization (Saeidi et al., 2024, eq. 7), without a reference model, on a gold answer g that is better
// than the chosen w and the rejected l:
//   loss = L(b (log pi(w) - log pi(l))) + alpha NLL(g)
// loss = "length_normalised" (TPO-L) takes likelihoods per token and a margin gamma.
#include "attune/algorithm.h"
#include "attune/loss_terms.h"

namespace {

using namespace attune;

class Tpo final : public Algorithm {
 public:
  explicit Tpo(Value options)
      : beta_(options["beta"].number()),
        gamma_(options["gamma"].number()),
        nll_weight_(options["nll_weight"].number()),
        normalised_(options["loss"].text() == "length_normalised"),
        nll_average_(by_profile(options, "nll_average", "sum", {{"trl", "batch"}})) {}

  Needs needs() const override { return {.whole_step = nll_average_ == "batch"}; }

  std::string formula() const override {
    return std::string(normalised_ ? "-ls(b (a_w - a_l) - " + digits(gamma_) + "), a = mean log p(y)" : "-ls(b (log p(w) - log p(l)))") +
           " + " + digits(nll_weight_) + " " + nll_name(nll_average_, "gold") + "; b = " + digits(beta_) + ", per sample";
  }

  Loss loss(const Scores& scores) const override {
    const at::Tensor value_B = normalised_ ? scores.mean(scores.logprob_U) : scores.sum(scores.logprob_U);
    const at::Tensor by_place_S3 = (beta_ * value_B).view({-1, 3});  // Three answers each, best first.
    const at::Tensor w = by_place_S3.select(1, 1), l = by_place_S3.select(1, 2);
    at::Tensor nll_S = -scores.sum(scores.logprob_U).view({-1, 3}).select(1, 0);
    const at::Tensor length_S = scores.length_B.view({-1, 3}).select(1, 0);
    if (nll_average_ == "answer") nll_S = nll_S / length_S.clamp_min(1);
    if (nll_average_ == "batch") nll_S = (nll_S.sum() / length_S.sum().clamp_min(1)).expand_as(nll_S);
    const at::Tensor loss_S = logistic(w - l - (normalised_ ? gamma_ : 0)) + nll_weight_ * nll_S;
    return {.numerator = loss_S.sum(), .unit = Unit::kSample, .metrics = preference_metrics(w.detach(), l.detach())};
  }

 private:
  double beta_, gamma_, nll_weight_;
  bool normalised_;
  std::string nll_average_;
};

ATTUNE_ALGORITHM(tpo, "tpo", Tpo);

}  // namespace

ATTUNE_PLUGIN(&tpo)
