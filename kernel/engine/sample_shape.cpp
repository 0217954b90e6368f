// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/sample_shape.h"

#include <algorithm>
#include <cmath>

namespace attune {
namespace {

Value label(const attune_sample& sample, const char* name) {
  return sample.size >= ATTUNE_END(attune_sample, labels) ? Value(sample.labels)[name] : Value();
}

}  // namespace

SampleShape::SampleShape(const Json& algorithm)
    : answers_(algorithm.value("answers", size_t(0))), safe_(algorithm.value("safe", false)) {
  const Json sample = algorithm.value("sample", Json("supervised"));
  shapes_ = sample.is_array() ? sample.get<std::vector<std::string>>() : std::vector{sample.get<std::string>()};
}

bool SampleShape::takes(const char* shape) const { return std::ranges::find(shapes_, shape) != shapes_.end(); }

void SampleShape::check(const attune_sample& sample) const {
  const size_t n = sample.n_views;
  const std::string found = ", found " + std::to_string(n) + (n == 1 ? " answer" : " answers");
  if (answers_ > 0 && n != answers_) throw Error("expected " + std::to_string(answers_) + " answers, best first" + found);
  if (safe_) {
    const Value safe = label(sample, "safe");
    if (!safe.is_list() || safe.size() != n) throw Error("expected the label `safe`, a list of one truth value for each answer, found none");
    for (size_t v = 0; v < n; ++v) safe[v].boolean();
  }
  const bool compares = takes("pair") || takes("ranking");
  const bool fits = n == 1 ? !compares || takes("unpaired") : compares && (n == 2 || takes("ranking"));
  if (!fits) {
    throw Error((compares ? "expected a chosen and a rejected answer" : "expected one conversation") + found +
                (n > 1 && !compares ? "; choose which answer to learn from" : ""));
  }
  if (n > 1) return;
  if (takes("unpaired")) desirable(sample);
  if (takes("labelled") && !label(sample, "class").is_integer()) throw Error("expected the label `class`, an integer, found none");
  if (takes("steps")) steps(sample);
}

void SampleShape::desirable(const attune_sample& sample) {
  if (!label(sample, "desirable").is_bool()) throw Error("expected the label `desirable` (true or false), found none");
  const Value ratio = label(sample, "ratio");
  if (ratio && !(ratio.number() >= 0 && std::isfinite(ratio.number()))) throw Error("label `ratio`: expected a finite number of 0 or more");
}

std::vector<float> SampleShape::steps(const attune_sample& sample) {
  const Value steps = label(sample, "steps");
  const attune_view& view = sample.views[0];
  const size_t parts = view.n_turns > 0 ? view.turns[view.n_turns - 1].n_parts : 0;
  if (!steps.is_list() || steps.size() != parts) {
    throw Error("expected the label `steps`, a list of one number for each of the answer's " + std::to_string(parts) + " steps, found " +
                (steps.is_list() ? std::to_string(steps.size()) + " numbers" : "none"));
  }
  std::vector<float> found;
  for (size_t i = 0; i < steps.size(); ++i) found.push_back(float(steps[i].number()));
  return found;
}

std::vector<AnswerLabels> SampleShape::labels(const attune_sample& sample) const {
  std::vector<AnswerLabels> labels;
  for (size_t v = 0; v < sample.n_views; ++v) {
    AnswerLabels one;
    one.rating = float(sample.views[v].rating);
    if (takes("unpaired")) one.desirable = sample.n_views > 1 ? float(v == 0) : float(label(sample, "desirable").boolean());
    if (takes("unpaired") && label(sample, "ratio").is_number()) one.ratio = float(label(sample, "ratio").number());
    if (safe_) one.safe = float(label(sample, "safe")[v].boolean());
    if (takes("labelled")) one.kind = label(sample, "class").integer();
    if (takes("steps")) one.steps = steps(sample);
    labels.push_back(one);
  }
  return labels;
}

SampleBuilder answer_of(const SampleBuilder& prompt, const SampleBuilder& other) {
  const attune_sample asked = prompt.c(), answered = other.c();
  std::vector<attune_turn> turns(asked.views[0].turns, asked.views[0].turns + asked.n_prompt);
  const attune_view& best = answered.views[0];
  turns.insert(turns.end(), best.turns + answered.n_prompt, best.turns + best.n_turns);
  attune_view view = best;
  view.turns = turns.data();
  view.n_turns = turns.size();
  SampleBuilder made;
  made.id(std::string(::attune::view(asked.id)) + " with the answer of " + std::string(::attune::view(answered.id)));
  made.prompt_turns(asked.n_prompt).add_view(view);
  return made;
}

}  // namespace attune
