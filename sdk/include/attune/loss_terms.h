// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <string>

#include "attune/scores.h"
#include "attune/value.h"

namespace attune {

/// log(1 - exp(a)) for a <= 0, by the branch that keeps its digits (Maechler, 2012). Finite at a = 0.
inline at::Tensor log1mexp(const at::Tensor& a) {
  const at::Tensor below = a.clamp_max(-1e-7);
  return at::where(below > -std::log(2.0), at::log(-at::expm1(below)), at::log1p(-at::exp(below)));
}

/// -(1 - eps) log sigmoid(h) - eps log sigmoid(-h): the logistic loss with a share `eps` of labels flipped.
inline at::Tensor logistic(const at::Tensor& h, double eps = 0) {
  const at::Tensor loss = -(1 - eps) * at::log_sigmoid(h);
  return eps > 0 ? loss - eps * at::log_sigmoid(-h) : loss;
}

/// Negative log-likelihood of the preferred answers, one number per pair: each answer's sum, its mean per token, or the
/// mean over all tokens of all preferred answers of the batch (the same number for every pair).
inline at::Tensor chosen_nll(const Scores& scores, const std::string& average) {
  const at::Tensor nll_P = -scores.pairs(scores.sum(scores.logprob_U)).first;
  if (average == "sum") return nll_P;
  const at::Tensor length_P = scores.pairs(scores.length_B).first;
  if (average == "answer") return nll_P / length_P.clamp_min(1);
  return (nll_P.sum() / length_P.sum().clamp_min(1)).expand_as(nll_P);
}

/// An option, or, where it is left at "profile", what the option `profile` sets: `paper` unless one of `others` is named.
inline std::string by_profile(Value options, const char* name, const char* paper,
                              std::initializer_list<std::pair<std::string_view, const char*>> others) {
  const std::string set(options[name].text());
  if (set != "profile") return set;
  for (const auto& [profile, choice] : others) {
    if (options["profile"].text() == profile) return choice;
  }
  return paper;
}

/// Its name in a formula.
inline std::string nll_name(const std::string& average, const std::string& answer = "w") {
  return average == "sum" ? "NLL(" + answer + ")" : average == "answer" ? "NLL(" + answer + ")/|" + answer + "|" : "NLL(" + answer + ") per token of the step";
}

/// Reward metrics that every preference method reports.
inline std::vector<Metric> preference_metrics(const at::Tensor& chosen, const at::Tensor& rejected) {
  return {{"reward/chosen", chosen}, {"reward/rejected", rejected}, {"reward/margin", chosen - rejected},
          {"reward/accuracy", (chosen > rejected).to(at::kFloat)}};
}

/// The first output of a value head at the end of each answer: B. Throws Error where there is not one place an answer.
inline at::Tensor answer_values(const Scores& scores) {
  if (scores.mark_M.size(0) != scores.length_B.size(0)) throw Error("expected one value for each answer");
  return scores.value_MK.select(1, 0);
}

/// A number as a formula shows it: "0.1".
inline std::string digits(double number) {
  std::string text = std::to_string(number);
  text.erase(text.find_last_not_of('0') + 1);
  return text.ends_with('.') ? text + "0" : text;
}

}  // namespace attune
