// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/workload.h"

#include <algorithm>

#include "kernel/engine/batch.h"

namespace attune {
namespace {

constexpr size_t kSamples = 256;  // Looked at, if so many there are.

BatchShape shape_of(const Encoded& sample) {
  BatchShape made{int64_t(sample.ids.size()), int64_t(sample.units.size())};
  for (const Branch& branch : sample.branches) {
    const double own = double(branch.end - branch.begin);
    made.pairs += own * (own + 1) / 2;
    for (int64_t parent = branch.parent; parent >= 0; parent = sample.branches[size_t(parent)].parent)
      made.pairs += own * double(sample.branches[size_t(parent)].end - sample.branches[size_t(parent)].begin);
  }
  return made;
}

void add(BatchShape& to, const BatchShape& more) { to.rows += more.rows, to.units += more.units, to.pairs += more.pairs; }

std::vector<BatchShape> batches(TrainingData& data, const std::vector<int64_t>& indices, int64_t budget) {
  std::vector<std::shared_ptr<const Encoded>> held;
  std::vector<const Encoded*> samples;
  for (const int64_t index : indices) {
    if (const auto sample = data.at(index)) samples.push_back(held.emplace_back(sample).get());
  }
  std::vector<BatchShape> made;
  for (const std::vector<size_t>& bin : split_by_rows(samples, budget)) {
    BatchShape& batch = made.emplace_back();
    for (const size_t i : bin) add(batch, shape_of(*samples[i]));
  }
  return made;
}

Workload at_most(const Json& train, const std::string& missing) {
  const int64_t longest = train.at("max_length"), samples = train.value("samples_per_step", int64_t(0));
  const int64_t step = std::max(samples > 0 ? samples * longest : train.value("tokens_per_step", longest), longest);
  const int64_t rows = std::min(std::max<int64_t>(train.value("tokens_per_batch", longest), longest), step);
  Workload made;
  const auto batch = [&](int64_t n) { return BatchShape{n, n, double(n) * double(longest) / 2}; };
  auto& batches = made.steps.emplace_back();
  for (int64_t left = step; left > 0; left -= rows) batches.push_back(batch(std::min(left, rows)));
  made.total_steps = train.value("steps", int64_t(0));
  made.reference = {batch(rows)};
  made.reference_share = double(made.total_steps) * double(step) / double(rows);
  made.lengths = "at most, by max_length: " + missing + " is not there yet";
  return made;
}

}  // namespace

Workload workload_of(PreparedRun& prepared, const Json& train) {
  if (!prepared.train) return at_most(train, prepared.missing);
  const int64_t budget = train.at("tokens_per_batch");
  Workload made;
  made.total_steps = prepared.steps->steps();
  size_t seen = 0;
  while (int64_t(made.steps.size()) < made.total_steps && seen < kSamples) {
    const std::vector<int64_t> indices = prepared.steps->samples(int64_t(made.steps.size()) + 1);
    made.steps.push_back(batches(*prepared.train, indices, budget));
    seen += indices.size();
  }
  const std::vector<int64_t> all_used = prepared.steps->used();
  for (const auto& step : made.steps) {
    for (const BatchShape& batch : step) made.cached += 16.0 * double(batch.rows) + 32.0 * double(batch.units);
  }
  made.cached *= std::max(0.0, double(all_used.size()) / double(std::max<size_t>(seen, 1)) - 1);
  if (prepared.metadata.value("reference", false)) {
    std::vector<int64_t> used = all_used;
    const double all = double(used.size());
    used.resize(std::min(used.size(), kSamples));
    if (!used.empty()) made.reference_share = all / double(used.size());
    for (size_t first = 0; first < used.size(); first += 64) {  // As many as are sorted by length together.
      const auto end = used.begin() + ptrdiff_t(std::min(used.size(), first + 64));
      for (const BatchShape& batch : batches(*prepared.train, {used.begin() + ptrdiff_t(first), end}, budget)) made.reference.push_back(batch);
    }
  }
  made.lengths = "of the " + std::to_string(seen) + " samples of " +
                 (int64_t(made.steps.size()) == made.total_steps ? "all" : "the first " + std::to_string(made.steps.size())) + " steps";
  return made;
}

}  // namespace attune
