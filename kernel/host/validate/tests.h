// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include "kernel/host/validate/kind.h"

/// The parts of what holds for every kind; see kind.h.
namespace attune::validate {

std::vector<Test> tests_of_options();
std::vector<Test> tests_of_calls();
std::vector<Test> tests_of_threads();

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// Good and bad inputs that go with the options of the first of them.
std::vector<Input> alike(const Subject& subject);

}  // namespace attune::validate
