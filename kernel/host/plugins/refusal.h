// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kernel/host/exit.h"
#include "kernel/host/json.h"

namespace attune {

/// Why the host will not load a file: a numbered rule, and what to do about it.
struct Refusal {
  std::string rule;  ///< "P-05"
  std::string file;
  std::string expected, found, cure;

  std::string text() const {
    return rule + " " + file + ": expected " + expected + ", found " + found +
           "\n     cure: " + cure;
  }
  Json json() const {
    return {
        {"rule", rule}, {"file", file}, {"expected", expected}, {"found", found}, {"cure", cure}};
  }
};

/// The host refuses to load a plugin.
class Refused : public ExitError {
 public:
  /// Rules of trust are numbered T-01 and up; one of them decides the exit code.
  explicit Refused(std::vector<Refusal> refusals)
      : ExitError(exit_of(refusals), join(refusals)), refusals_(std::move(refusals)) {}
  explicit Refused(Refusal refusal) : Refused(std::vector{std::move(refusal)}) {}

  const std::vector<Refusal>& refusals() const { return refusals_; }

 private:
  static Exit exit_of(const std::vector<Refusal>& refusals) {
    for (const Refusal& refusal : refusals) {
      if (refusal.rule.starts_with("T-")) return Exit::kTrust;
    }
    return Exit::kPluginRefused;
  }

  static std::string join(const std::vector<Refusal>& refusals) {
    std::string text;
    for (const Refusal& refusal : refusals) {
      if (!text.empty()) text += '\n';
      text += refusal.text();
    }
    return text;
  }

  std::vector<Refusal> refusals_;
};

}  // namespace attune
