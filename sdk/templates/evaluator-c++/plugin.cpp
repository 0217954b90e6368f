// SPDX-License-Identifier: Apache-2.0
// accuracy is 1 where the answer contains the label `answer`.
#include "attune/evaluator.h"

namespace {

class @Name@ {
 public:
  explicit @Name@(attune::Value options) : max_tokens_(options["max_tokens"].integer()) {}

  void request(const attune_sample& sample, const attune::RequestSink& emit) const {
    if (sample.n_views == 0 || sample.n_prompt == 0) throw attune::Error("expected a sample with a prompt, found none");
    auto made = attune::make_request(ATTUNE_REQUEST_GENERATE, sample.views[0].turns, sample.n_prompt);
    made.max_tokens = max_tokens_;
    emit(made);
  }

  attune::Metrics score(const attune_sample& sample, const attune::Answers& answers) const {
    const attune::Value labels(sample.labels);
    const std::string_view expected = labels["answer"].text();
    if (answers.size() != 1) throw attune::Error("expected 1 answer, found " + std::to_string(answers.size()));
    return {{"accuracy", attune::view(answers[0]->text).find(expected) != std::string_view::npos ? 1.0 : 0.0}};
  }

 private:
  int64_t max_tokens_;
};

ATTUNE_EVALUATOR(@name@, "@name@", @Name@);

}  // namespace

ATTUNE_PLUGIN(&@name@)
