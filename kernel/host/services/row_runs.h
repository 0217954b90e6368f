// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernel/host/json.h"

namespace attune {

/// How many samples each row gives, as runs of rows that give the same number: where all rows do,
/// any number of them is one run.
class RowRuns {
 public:
  /// The next row gives `samples`.
  void add(int64_t samples);

  int64_t rows() const { return rows_; }
  int64_t samples() const { return samples_; }
  struct Place {
    int64_t row, within, of;  ///< the row of a sample, its place among the row's samples, how many those are
  };
  /// REQUIRES: index < samples().
  Place place(int64_t index) const;

  /// [[samples a row, rows], ...]
  Json json() const;
  static RowRuns from(const Json& json);

 private:
  void add(int64_t samples, int64_t rows);

  struct Run {
    int64_t first_row, first_sample, per_row;
  };
  std::vector<Run> runs_;
  int64_t rows_ = 0, samples_ = 0;
};

}  // namespace attune
