// SPDX-License-Identifier: Apache-2.0
// Direct Preference Optimization (Rafailov et al., 2023, eq. 7) and its family. With log ratios r = log pi - log ref of the
// chosen (w) and rejected (l) answer and s the ratio after an f-divergence (Wang et al., 2024, table 1), a pair's loss is one
// of losses.cpp, or a weighted sum of several (MPO: Wang et al., 2024), and
//   offset_scale   h loses alpha log(rating_w - rating_l)            ODPO: Amini et al., 2024, eq. 6
//   ld_alpha       tokens beyond the shorter answer's length count less  LD-DPO: Liu et al., 2024, eq. 10
//   wpo            times the likelihood of both answers              WPO: Zhou et al., 2024, eq. 2 and its aligned weights
//   nll_weight     plus the chosen answer's NLL                      RPO: Pang et al., 2024, eq. 1
// Rankings of n answers are all their pairs; plackett_luce takes them whole (Rafailov et al., 2023, eq. 20).
#include "attune/algorithm.h"
#include "attune/loss_terms.h"
#include "losses.h"

namespace {

using namespace attune;
using dpo::Variant;

class Dpo final : public Algorithm {
 public:
  explicit Dpo(Value options)
      : settings_{.beta = options["beta"].number(),
                  .eps = options["label_smoothing"].number(),
                  .tau = options["discopop_tau"].number(),
                  .alpha = options["alpha"].number(),
                  .gamma = options["gamma"].number(),
                  .per_token = by_profile(options, "ipo_average", "sum", {{"trl", "token"}, {"llamafactory", "token"}}) == "token"},
        divergence_(options["divergence"].text()),
        divergence_alpha_(options["divergence_alpha"].number()),
        offset_scale_(options["offset_scale"].number()),
        ld_alpha_(options["ld_alpha"].number()),
        ld_reference_(by_profile(options, "ld_reference", "yes", {{"llamafactory", "no"}}) == "yes"),
        wpo_(options["wpo"].boolean()),
        nll_weight_(options["nll_weight"].number()),
        nll_average_(by_profile(options, "nll_average", "answer", {{"trl", "batch"}})),
        ranking_(options["loss"].text() == "plackett_luce") {
    if (!ranking_) losses_.push_back({&dpo::variant(options["loss"].text()), 1.0});
    const Value mix = options["mix"];
    if (mix && !mix.is_map()) throw Error("`mix`: expected a table of loss = weight, found " + std::string(mix.type_name()));
    for (size_t i = 0; i < mix.size(); ++i) losses_.push_back({&dpo::variant(mix.key(i)), mix[mix.key(i)].number()});
    check();
  }

  Needs needs() const override {
    bool whole = nll_weight_ > 0 && nll_average_ == "batch";
    for (const auto& [loss, weight] : losses_) whole |= loss->whole_step;
    return {.collision = wpo_, .whole_step = whole};
  }

  std::string formula() const override {
    std::string text, constants;
    for (const auto& [loss, weight] : losses_) {
      const std::string formula = std::string(loss->formula) + (loss->name == "ipo" && settings_.per_token ? " with s/length for s" : "");
      text += text.empty() ? (losses_.size() > 1 ? "(" + formula + ")" : formula) : " + " + digits(weight) + " * (" + formula + ")";
      if (loss->name == "discopop") constants += ", tau = " + digits(settings_.tau);
      if (loss->name == "alpha_dpo") constants += ", alpha = " + digits(settings_.alpha) + ", gamma = " + digits(settings_.gamma);
    }
    if (ranking_) text = "-sum_k [b r_k - log sum_{j >= k} exp(b r_j)], per sample";
    if (nll_weight_ > 0) text += " + " + digits(nll_weight_) + " * " + nll_name(nll_average_);
    text += "; b = " + digits(settings_.beta) + constants;
    if (settings_.eps > 0) text += ", e = " + digits(settings_.eps);
    if (divergence_ != "reverse_kl") text += ", s by " + divergence_ + (divergence_ == "alpha" ? " " + digits(divergence_alpha_) : "");
    if (offset_scale_ > 0) text += ", h less " + digits(offset_scale_) + " log(rating_w - rating_l)";
    if (ld_alpha_ < 1) text += ", length-desensitised by " + digits(ld_alpha_) + (ld_reference_ ? "" : " (policy only)");
    return text + (wpo_ ? ", weighted by the policy" : "");
  }

  Loss loss(const Scores& scores) const override { return ranking_ ? ranked(scores) : paired(scores); }

 private:
  void check() const {
    const auto refuse = [](const std::string& why) { throw Error("dpo: " + why); };
    for (const auto& [loss, weight] : losses_) {
      const std::string name(loss->name);
      if (settings_.eps > 0 && !loss->smooths) refuse("loss = \"" + name + "\" has no place for label_smoothing; leave it at 0");
      if (name == "exo" && settings_.eps == 0) refuse("loss = \"exo\" needs label_smoothing above 0; its paper uses 1e-3");
      if (divergence_ != "reverse_kl" && !loss->difference) refuse("loss = \"" + name + "\" takes reverse_kl only");
      if (offset_scale_ > 0 && name != "sigmoid") refuse("offset_scale goes with loss = \"sigmoid\" alone");
      if (wpo_ && loss->whole_step) refuse("wpo does not go with loss = \"" + name + "\", which has no loss of a single pair");
    }
    if (ranking_ && (losses_.size() > 0 || settings_.eps > 0 || divergence_ != "reverse_kl" || offset_scale_ > 0 || wpo_ || nll_weight_ > 0 ||
                     ld_alpha_ < 1)) {
      refuse("loss = \"plackett_luce\" takes no option but beta");
    }
  }

  at::Tensor transformed(const at::Tensor& r) const {
    if (divergence_ == "forward_kl") return -(-r).exp();
    if (divergence_ == "js") return at::log_sigmoid(r);
    if (divergence_ == "alpha") return -(-divergence_alpha_ * r).clamp_max(80).exp() / divergence_alpha_;
    return r;
  }

  /// The weight of each token in its answer's sum: ld_alpha beyond the shorter answer's length.
  at::Tensor desensitised(const Scores& scores) const {
    const auto [n_w, n_l] = scores.pairs(scores.length_B);
    const at::Tensor shorter_P = at::minimum(n_w, n_l), shorter_B = scores.length_B.clone();
    shorter_B.index_copy_(0, scores.chosen_P, shorter_P).index_copy_(0, scores.rejected_P, shorter_P);
    const at::Tensor first_B = scores.length_B.cumsum(0) - scores.length_B;
    const at::Tensor place_U = at::arange(scores.sequence_U.size(0), first_B.options()) - first_B.index_select(0, scores.sequence_U);
    const at::Tensor one = at::ones({}, first_B.options());
    return at::where(place_U < shorter_B.index_select(0, scores.sequence_U), one, one * ld_alpha_);
  }

  Loss paired(const Scores& scores) const {
    at::Tensor logprob_U = scores.logprob_U, reference_U = scores.reference_U;
    if (ld_alpha_ < 1) {
      if (scores.chosen_P.size(0) * 2 != scores.length_B.size(0)) throw Error("dpo: ld_alpha takes pairs, not rankings");
      const at::Tensor weight_U = desensitised(scores);
      logprob_U = weight_U * logprob_U;
      if (ld_reference_) reference_U = weight_U * reference_U;
    }
    dpo::Pair p;
    std::tie(p.pi_w, p.pi_l) = scores.pairs(scores.sum(logprob_U));
    std::tie(p.ref_w, p.ref_l) = scores.pairs(scores.sum(reference_U));
    p.r_w = p.pi_w - p.ref_w, p.r_l = p.pi_l - p.ref_l;
    p.s_w = transformed(p.r_w), p.s_l = transformed(p.r_l);
    std::tie(p.n_w, p.n_l) = scores.pairs(scores.length_B.clamp_min(1));
    if (offset_scale_ > 0) p.s_w = p.s_w - offset_scale_ / settings_.beta * gap(scores).log();

    at::Tensor loss_P;
    for (const auto& [loss, weight] : losses_) {
      const at::Tensor part = weight * loss->loss(p, settings_);
      loss_P = loss_P.defined() ? loss_P + part : part;
    }
    if (wpo_) {
      const auto [v_w, v_l] = scores.pairs(scores.mean(scores.logprob_U.detach() - scores.collision_U));
      loss_P = loss_P * (v_w + v_l).exp();
    }
    if (nll_weight_ > 0) loss_P = loss_P + nll_weight_ * chosen_nll(scores, nll_average_);
    const auto [reward_w, reward_l] = std::pair(settings_.beta * p.r_w.detach(), settings_.beta * p.r_l.detach());
    return {.numerator = loss_P.sum(), .unit = Unit::kPair, .metrics = preference_metrics(reward_w, reward_l)};
  }

  /// rating_w - rating_l of every pair.
  at::Tensor gap(const Scores& scores) const {
    const auto [better, worse] = scores.pairs(scores.rating_B);
    const at::Tensor gap_P = better - worse;
    if (!(gap_P > 0).all().item<bool>()) {
      throw Error("dpo: offset_scale needs ratings of both answers, the chosen one's higher; map the columns rating_chosen and "
                  "rating_rejected, or drop offset_scale");
    }
    return gap_P;
  }

  Loss ranked(const Scores& scores) const {
    const at::Tensor reward_B = settings_.beta * (scores.sum(scores.logprob_U) - scores.sum(scores.reference_U));
    const at::Tensor size_S = at::bincount(scores.sample_B.to(at::kCPU));
    at::Tensor total = at::zeros({}, reward_B.options());
    int64_t first = 0;
    for (const int64_t n : std::vector<int64_t>(size_S.data_ptr<int64_t>(), size_S.data_ptr<int64_t>() + size_S.size(0))) {
      const at::Tensor reward = reward_B.slice(0, first, first + n);  // Best first.
      total = total - (reward - reward.flip(0).logcumsumexp(0).flip(0)).sum();
      first += n;
    }
    const auto [reward_w, reward_l] = scores.pairs(reward_B.detach());
    return {.numerator = total, .unit = Unit::kSample, .metrics = preference_metrics(reward_w, reward_l)};
  }

  dpo::Settings settings_;
  std::string divergence_;
  double divergence_alpha_, offset_scale_, ld_alpha_;
  bool ld_reference_, wpo_;
  double nll_weight_;
  std::string nll_average_;
  bool ranking_;
  std::vector<std::pair<const Variant*, double>> losses_;
};

ATTUNE_ALGORITHM(dpo_algorithm, "dpo", Dpo);

}  // namespace

ATTUNE_PLUGIN(&dpo_algorithm)
