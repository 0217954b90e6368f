// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "kernel/host/json.h"

/// What `attune plugins validate` found.
namespace attune::validate {

enum class State { kPass, kFail, kSkip };

/// The outcome of one test.
struct Verdict {
  std::string test;   ///< "random-access"
  std::string about;  ///< what must hold
  std::string kind;   ///< "reader/1"; empty: of the whole file
  std::string name;   ///< of the factory
  State state = State::kPass;
  std::string why;  ///< of a failure, or of being skipped
  double seconds = 0;
};

/// A test found something wrong: expected, found, input.
struct Failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A test cannot be made.
struct Skipped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One line a test, grouped by factory; failures and skips with their reasons; a line of counts.
std::string text(const std::vector<Verdict>& verdicts);
Json json(const std::vector<Verdict>& verdicts);
bool passed(const std::vector<Verdict>& verdicts);

}  // namespace attune::validate
