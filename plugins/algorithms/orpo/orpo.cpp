// SPDX-License-Identifier: Apache-2.0
// Odds Ratio Preference Optimization (Hong et al., 2024, eq. 6 and 7), without a reference model. With a the mean
// log-likelihood per token of an answer and odds = e^a / (1 - e^a):
//   loss = NLL(w) - lambda log sigmoid(log odds_w - log odds_l)
#include "attune/algorithm.h"
#include "attune/loss_terms.h"

namespace {

using namespace attune;

class Orpo final : public Algorithm {
 public:
  explicit Orpo(Value options) : lambda_(options["lambda"].number()), nll_average_(by_profile(options, "nll_average", "answer", {{"trl", "batch"}})) {}

  Needs needs() const override { return {.whole_step = nll_average_ == "batch"}; }

  std::string formula() const override {
    return nll_name(nll_average_) + " - " + digits(lambda_) + " ls(log odds_w - log odds_l), odds of the mean token likelihood";
  }

  Loss loss(const Scores& scores) const override {
    const auto [a_w, a_l] = scores.pairs(scores.mean(scores.logprob_U));
    const at::Tensor log_odds_P = (a_w - a_l) - (log1mexp(a_w) - log1mexp(a_l));
    const at::Tensor loss_P = chosen_nll(scores, nll_average_) + lambda_ * logistic(log_odds_P);
    std::vector<Metric> metrics = preference_metrics(lambda_ * a_w.detach(), lambda_ * a_l.detach());
    metrics.push_back({"log_odds", log_odds_P.detach()});
    return {.numerator = loss_P.sum(), .unit = Unit::kPair, .metrics = std::move(metrics)};
  }

 private:
  double lambda_;
  std::string nll_average_;
};

ATTUNE_ALGORITHM(orpo, "orpo", Orpo);

}  // namespace

ATTUNE_PLUGIN(&orpo)
