// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "attune/sample.h"
#include "kernel/host/validate/kind.h"

/// Between JSON, in which inputs and results are written down, and the tables of the contract.
namespace attune::validate {

/// A tree as JSON: bytes as {"bytes": n}, numbers that are not finite as text.
Json plain(const attune_value& value);

/// {"views": [["user: Why?", "assistant: So."]], "n_prompt": 1, "labels": {...}}, as `readable` writes it.
SampleBuilder sample_of(const Json& json);

/// Turns of text, [["user", "Hi"], ...] or ["user: Hi", ...], in the C form.
class Turns {
 public:
  explicit Turns(const Json& json);
  const attune_turn* data() const { return turns_.data(); }
  size_t size() const { return turns_.size(); }

 private:
  std::deque<std::string> texts_;
  std::deque<attune_part> parts_;
  std::vector<attune_turn> turns_;
};

/// Throws Failed where a sample is no sample: pointers, kinds of parts, weights, texts that are not UTF-8.
void check_sample(const attune_sample& sample);

/// Calls a function that puts into a sink. Throws Failed where the sink's refusal does not come back.
Answer called(Witness& witness, const std::string& function, const SinkRule& rule, const std::function<int32_t()>& body);

/// What a table is missing; "" where nothing is.
struct Member {
  const char* name;
  bool there;
};
std::string first_missing(std::initializer_list<Member> members);

/// The text of a message as cases write it: with FILE for the path.
std::string with_file(std::string message, const std::string& path);

/// A tree whose lists lie `depth` deep in each other.
Json nested(int depth);

/// Overwrites the texts and keys of a tree that lies in an arena: whoever kept them has something else now.
void scribble(const attune_value& value);

void spill(const std::string& file, const std::string& bytes);

}  // namespace attune::validate
