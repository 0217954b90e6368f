// SPDX-License-Identifier: Apache-2.0
// loss = sum over tokens of -log p(y_t) + penalty / 2 (log p(y_t))^2
#include <ATen/ATen.h>

#include "attune/algorithm.h"

namespace {

using namespace attune;

class @Name@ final : public Algorithm {
 public:
  explicit @Name@(Value options) : penalty_(options["penalty"].number()) {}

  std::string formula() const override {
    return "-log p(y_t) + " + std::to_string(penalty_) + "/2 (log p(y_t))^2, per token";
  }

  Loss loss(const Scores& scores) const override {
    const at::Tensor loss_U = -scores.logprob_U + penalty_ / 2 * scores.logprob_U.square();
    return {.numerator = (scores.weight_U * loss_U).sum(),
            .unit = Unit::kToken,
            .metrics = {{"logprob", scores.logprob_U.detach()}}};
  }

 private:
  double penalty_;
};

ATTUNE_ALGORITHM(@name@, "@name@", @Name@);

}  // namespace

ATTUNE_PLUGIN(&@name@)
