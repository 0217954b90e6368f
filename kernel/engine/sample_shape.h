// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "attune/model.h"
#include "attune/sample.h"
#include "kernel/host/json.h"

namespace attune {

/// What an algorithm's metadata says one sample must be: `sample` is one or several of
///   supervised   one conversation
///   pair         two answers, the preferred first
///   ranking      two answers or more, best first
///   steps        one answer with the label `steps`, a list of 1, 0 and -1, one for each text part of its last turn
///   labelled     one conversation with the label `class`, an integer
///   unpaired     one answer with the label `desirable`, perhaps `ratio`, a number; a pair counts as one desirable and one undesirable answer
/// `answers` how many answers there must be, and `safe` that the label `safe` must hold a truth value for each.
class SampleShape {
 public:
  explicit SampleShape(const Json& algorithm);

  /// Throws Error naming what was expected and found.
  void check(const attune_sample& sample) const;
  /// One per view.
  std::vector<AnswerLabels> labels(const attune_sample& sample) const;

 private:
  bool takes(const char* shape) const;
  static void desirable(const attune_sample& sample);
  static std::vector<float> steps(const attune_sample& sample);

  std::vector<std::string> shapes_;
  size_t answers_;
  bool safe_;
};

/// `prompt` with its answers replaced by the best answer of `other`.
SampleBuilder answer_of(const SampleBuilder& prompt, const SampleBuilder& other);

}  // namespace attune
