// SPDX-License-Identifier: Apache-2.0
// Binary Classifier Optimization (Jung et al., 2024): the reward r = b (log pi - log ref) as the logit of "desirable", shifted
// by delta, the running mean of all rewards so far:
//   desirable:   -log sigmoid(r - delta)        undesirable:   -log sigmoid(-(r - delta))
// With density_ratio (section 4.2, underlying distribution matching) an undesirable answer to prompt x counts
// p(desirable | x) / p(undesirable | x), the label `ratio`, by any classifier of prompts.
// shift = "classes" takes the mean of the two classes' means, which is the same on pairs.
#include "attune/algorithm.h"
#include "attune/loss_terms.h"

namespace {

using namespace attune;

class Bco final : public Algorithm {
 public:
  explicit Bco(Value options)
      : beta_(options["beta"].number()),
        by_class_(options["shift"].text() == "classes"),
        ratio_(options["density_ratio"].boolean()),
        moments_(at::zeros({2, 2}, at::kDouble)) {}

  Needs needs() const override { return {.whole_step = true}; }

  std::string formula() const override {
    return std::string("-ls(r - d) if desirable, else -ls(d - r), d = running mean of r") + (by_class_ ? ", each class as one half" : "") +
           (ratio_ ? ", undesirable times p(desirable | x) / p(undesirable | x)" : "") +
           ", per answer; r = " + digits(beta_) + " (log pi - log ref)";
  }

  void observe(const Scores& scores) override {
    const at::Tensor reward_B = reward(scores).detach().to(at::kCPU, at::kDouble);
    const at::Tensor good_B = (scores.desirable_B > 0.5).to(at::kCPU, at::kDouble);
    const at::Tensor kind_2B = at::stack({1 - good_B, good_B});
    moments_.add_(at::stack({kind_2B.sum(1), (kind_2B * reward_B).sum(1)}, 1));
  }

  NamedTensors state() override { return {{"moments", moments_}}; }

  Loss loss(const Scores& scores) const override {
    const at::Tensor reward_B = reward(scores), good_B = scores.desirable_B > 0.5;
    const at::Tensor shifted_B = reward_B - shift();
    at::Tensor loss_B = -at::log_sigmoid(at::where(good_B, shifted_B, -shifted_B));
    if (ratio_) {
      const at::Tensor weight_B = at::where(good_B, at::ones_like(loss_B), scores.ratio_B.to(loss_B.scalar_type()));
      if (at::isnan(weight_B).any().item<bool>()) {
        throw Error("bco: density_ratio needs the label `ratio` of every undesirable answer; map a column to it: labels = { ratio = \"...\" }");
      }
      loss_B = weight_B * loss_B;
    }
    return {.numerator = loss_B.sum(),
            .unit = Unit::kSequence,
            .metrics = {{"reward/chosen", reward_B.detach().index({good_B})},
                        {"reward/rejected", reward_B.detach().index({good_B.logical_not()})},
                        {"reward/shift", at::full({1}, shift())}}};
  }

 private:
  at::Tensor reward(const Scores& scores) const { return beta_ * scores.sum(scores.logprob_U - scores.reference_U); }

  double shift() const {
    const auto number = [&](int64_t kind, int64_t what) { return moments_[kind][what].item<double>(); };
    const double bad = number(0, 0), good = number(1, 0);
    if (bad + good == 0) return 0;
    if (!by_class_ || bad == 0 || good == 0) return (number(0, 1) + number(1, 1)) / (bad + good);
    return (number(0, 1) / bad + number(1, 1) / good) / 2;
  }

  double beta_;
  bool by_class_, ratio_;
  at::Tensor moments_;  ///< undesirable, desirable x count, sum of rewards; fp64
};

ATTUNE_ALGORITHM(bco, "bco", Bco);

}  // namespace

ATTUNE_PLUGIN(&bco)
