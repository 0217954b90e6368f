// SPDX-License-Identifier: Apache-2.0
// Supervised fine-tuning: the weighted negative log-likelihood of every scored token,
//   loss = -sum_u w_u log p(y_u),   per token of the whole optimizer step.
#include <ATen/ATen.h>

#include "attune/algorithm.h"

namespace {

using namespace attune;

class Sft final : public Algorithm {
 public:
  explicit Sft(Value) {}

  Loss loss(const Scores& scores) const override {
    return {.numerator = -(scores.weight_U * scores.logprob_U).sum(),
            .unit = Unit::kToken,
            .metrics = {{"logprob", scores.logprob_U.detach()}}};
  }
};

ATTUNE_ALGORITHM(sft, "sft", Sft);

}  // namespace

ATTUNE_PLUGIN(&sft)
