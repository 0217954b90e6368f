// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernel/engine/prepared_run.h"

namespace attune {

/// Rows that go through the model at once.
struct BatchShape {
  int64_t rows = 0, units = 0;
  double pairs = 0;  ///< of a row and a row that it attends to
};

/// What the steps of a run are made of.
struct Workload {
  std::vector<std::vector<BatchShape>> steps;  ///< micro-batches of the steps that were looked at
  std::vector<BatchShape> reference;           ///< of the pass that scores the reference, as far as looked at
  double reference_share = 0;                  ///< how many times that pass is longer than what was looked at
  int64_t total_steps = 0;                     ///< 0: not known without the data
  double cached = 0;                           ///< bytes of samples that will be kept encoded, beyond those looked at
  std::string lengths;                         ///< where the lengths come from
};

/// Encodes the samples of the first steps, or, where the data is not there, takes what the manifest allows at most.
/// `train` is the table [train].
Workload workload_of(PreparedRun& prepared, const Json& train);

}  // namespace attune
