// SPDX-License-Identifier: Apache-2.0
// Which of two answers does the model find likelier? For a pair with log-probabilities w of the
// chosen answer's tokens and l of the rejected one's:
//   margin_sum  = sum w - sum l        accuracy_sum  = 1 if margin_sum > 0, 0.5 if it is 0, else 0
//   margin_mean = mean w - mean l      accuracy_mean = the same of margin_mean
// The sum is what preference losses compare; the mean does not reward being short. By the reward r of a reward model:
//   margin = r_w - r_l             accuracy = 1 if margin > 0, 0.5 if it is 0, else 0
#include <cmath>
#include <string>

#include "attune/evaluator.h"

namespace {

using namespace attune;

struct Likelihood {
  double sum, mean;
};

Likelihood likelihood(const attune_answer& answer, const char* side) {
  if (answer.n_ids == 0) {
    throw Error(std::string("the ") + side + " answer has no scored token: nothing to compare");
  }
  double sum = 0;
  for (size_t i = 0; i < answer.n_ids; ++i) sum += answer.logprobs[i];
  if (!std::isfinite(sum)) {
    throw Error(std::string("the log-probability of the ") + side + " answer is " +
                std::to_string(sum) + ", expected a finite number: the model's weights are broken");
  }
  return {sum, sum / static_cast<double>(answer.n_ids)};
}

double reward(const attune_answer& answer) {
  if (answer.size < ATTUNE_END(attune_answer, n_outputs) || answer.n_places != 1 || answer.n_outputs != 1) {
    throw Error("expected one reward for an answer, found " + std::to_string(answer.n_places) + " places of " + std::to_string(answer.n_outputs) +
                " values; use a model with one score for the whole answer");
  }
  return answer.values[0];
}

double won(double margin) { return margin > 0 ? 1 : margin < 0 ? 0 : 0.5; }

class PreferenceAccuracy {
 public:
  explicit PreferenceAccuracy(Value options) : reward_(options["by"].text() == "reward") {}

  void request(const attune_sample& pair, const RequestSink& emit) const {
    if (pair.n_views != 2) {
      throw Error("expected a pair of answers, found a sample of " + std::to_string(pair.n_views) +
                  (pair.n_views == 1 ? " view" : " views") +
                  "; use data with a chosen and a rejected answer");
    }
    for (size_t v = 0; v < 2; ++v) {
      auto made =
          make_request(reward_ ? ATTUNE_REQUEST_VALUES : ATTUNE_REQUEST_LIKELIHOOD, pair.views[v].turns, pair.views[v].n_turns);
      made.n_prompt = pair.n_prompt;
      emit(made);
    }
  }

  Metrics score(const attune_sample&, const Answers& answers) const {
    if (answers.size() != 2) {
      throw Error("expected 2 answers, found " + std::to_string(answers.size()), ATTUNE_E_INTERNAL);
    }
    if (reward_) {
      const double margin = reward(*answers[0]) - reward(*answers[1]);
      return {{"accuracy", won(margin)}, {"margin", margin}};
    }
    const auto chosen = likelihood(*answers[0], "chosen");
    const auto rejected = likelihood(*answers[1], "rejected");
    const double sum = chosen.sum - rejected.sum, mean = chosen.mean - rejected.mean;
    return {{"accuracy_sum", won(sum)},
            {"accuracy_mean", won(mean)},
            {"margin_sum", sum},
            {"margin_mean", mean}};
  }

 private:
  bool reward_;
};

ATTUNE_EVALUATOR(preference_accuracy, "preference_accuracy", PreferenceAccuracy);

}  // namespace

ATTUNE_PLUGIN(&preference_accuracy)
