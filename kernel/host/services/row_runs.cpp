// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/row_runs.h"

#include <algorithm>

namespace attune {

void RowRuns::add(int64_t samples) { add(samples, 1); }

void RowRuns::add(int64_t samples, int64_t rows) {
  if (runs_.empty() || runs_.back().per_row != samples) runs_.push_back({rows_, samples_, samples});
  rows_ += rows;
  samples_ += samples * rows;
}

RowRuns::Place RowRuns::place(int64_t index) const {
  // Of runs that begin at the same sample all but the last give none.
  const auto after = std::ranges::upper_bound(runs_, index, {}, &Run::first_sample);
  const Run& run = *std::prev(after);
  const int64_t from = index - run.first_sample;
  return {run.first_row + from / run.per_row, from % run.per_row, run.per_row};
}

Json RowRuns::json() const {
  Json list = Json::array();
  for (size_t i = 0; i < runs_.size(); ++i) {
    const int64_t end = i + 1 < runs_.size() ? runs_[i + 1].first_row : rows_;
    list.push_back({runs_[i].per_row, end - runs_[i].first_row});
  }
  return list;
}

RowRuns RowRuns::from(const Json& json) {
  RowRuns made;
  for (const Json& run : json) made.add(run.at(0).get<int64_t>(), run.at(1).get<int64_t>());
  return made;
}

}  // namespace attune
