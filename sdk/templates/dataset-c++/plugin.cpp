// SPDX-License-Identifier: Apache-2.0
// A row is {"question": "2+2?", "answer": "4"}.
#include "attune/dataset.h"

namespace {

class @Name@ {
 public:
  explicit @Name@(attune::Value options)
      : question_(options["question"].text()), answer_(options["answer"].text()) {}

  void map(attune::Value row, const attune::SampleSink& emit) const {
    const std::string answer(row[answer_].text());
    attune::SampleBuilder sample;
    sample.prompt_turns(1).label("answer", answer).add({{{"user", std::string(row[question_].text())}, {"assistant", answer}}});
    emit(sample);
  }

 private:
  std::string question_, answer_;
};

ATTUNE_DATASET(@name@, "@name@", @Name@);

}  // namespace

ATTUNE_PLUGIN(&@name@)
