// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernel/engine/optimizer.h"

namespace attune {

/// Watches the first optimizer step: every trainable parameter must have a gradient and move, no frozen one may change.
/// Made before the backward pass, verified after the update.
class StepAudit {
 public:
  StepAudit(const std::vector<Parameter>& all, const Optimizer& optimizer);
  /// Throws Error naming the parameters that break the rule.
  void verify() const;

 private:
  struct Watched {
    std::string name;
    at::Tensor tensor;
    int64_t bits;
    bool trainable;
  };
  std::vector<Watched> watched_;
  const Optimizer& optimizer_;
};

}  // namespace attune
