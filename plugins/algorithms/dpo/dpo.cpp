// SPDX-License-Identifier: Apache-2.0
// Direct Preference Optimization (Rafailov et al., 2023, eq. 7; conservative form: Mitchell, 2023, eq. 3):
//   h    = beta * ((pi_w - pi_l) - (ref_w - ref_l))
//   loss = -(1 - eps) log sigmoid(h) - eps log sigmoid(-h)
// where pi and ref are summed log-probabilities of the chosen (w) and rejected (l) answer.
#include <ATen/ATen.h>

#include "attune/algorithm.h"

namespace {

using namespace attune;

class Dpo final : public Algorithm {
 public:
  explicit Dpo(Value options)
      : beta_(options["beta"].number()), eps_(options["label_smoothing"].number()) {}

  Loss loss(const Scores& scores) const override {
    const auto [pi_w, pi_l] = scores.pairs(scores.sum(scores.logprob_U));
    const auto [ref_w, ref_l] = scores.pairs(scores.sum(scores.reference_U));
    const auto reward_w = beta_ * (pi_w - ref_w), reward_l = beta_ * (pi_l - ref_l);
    const auto h_P = reward_w - reward_l;
    const auto loss_P = -(1 - eps_) * at::log_sigmoid(h_P) - eps_ * at::log_sigmoid(-h_P);

    return {.numerator = loss_P.sum(),
            .unit = Unit::kPair,
            .metrics = {{"reward/chosen", reward_w},
                        {"reward/rejected", reward_l},
                        {"reward/margin", h_P},
                        {"reward/accuracy", (h_P > 0).to(at::kFloat)}}};
  }

 private:
  double beta_, eps_;
};

ATTUNE_ALGORITHM(dpo, "dpo", Dpo);

}  // namespace

ATTUNE_PLUGIN(&dpo)
