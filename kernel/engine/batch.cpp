// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/batch.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "nn/divergence.h"
#include "nn/likelihood.h"
#include "nn/to_device.h"
#include "nn/top_divergence.h"

namespace attune {
namespace {

at::Tensor as_tensor(const std::vector<int64_t>& values, at::Device device) { return nn::to_device(at::tensor(values, at::kLong), device); }
at::Tensor as_tensor(const std::vector<float>& values, at::Device device) { return nn::to_device(at::tensor(values, at::kFloat), device); }

/// The branch's ancestors, oldest first, as row ranges.
std::vector<std::pair<int64_t, int64_t>> context_of(const Encoded& sample, size_t branch, int64_t first_row) {
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (int64_t parent = sample.branches[branch].parent; parent >= 0; parent = sample.branches[size_t(parent)].parent) {
    const Branch& ancestor = sample.branches[size_t(parent)];
    if (ancestor.end > ancestor.begin) ranges.emplace_back(first_row + ancestor.begin, first_row + ancestor.end);
  }
  std::reverse(ranges.begin(), ranges.end());
  return ranges;
}

}  // namespace

MicroBatch pack(std::span<const Encoded* const> samples, int64_t axes, at::Device device) {
  MicroBatch micro;
  std::vector<int64_t> ids, rows, targets, heads, sequences, of_sample, rank, chosen, rejected;
  std::vector<std::vector<int64_t>> positions{size_t(axes)};
  std::vector<int64_t> mark_rows, marks, kinds;
  std::vector<float> weights, lengths, rating, desirable, ratio, safe, steps;

  for (const Encoded* sample : samples) {
    const int64_t first_row = int64_t(ids.size()), first_sequence = int64_t(lengths.size());
    const int64_t n = int64_t(sample->ids.size());
    ids.insert(ids.end(), sample->ids.begin(), sample->ids.end());
    for (int64_t axis = 0; axis < axes; ++axis) {
      const auto begin = sample->positions.begin() + axis * n;
      positions[size_t(axis)].insert(positions[size_t(axis)].end(), begin, begin + n);
    }
    for (size_t b = 0; b < sample->branches.size(); ++b) {
      const Branch& branch = sample->branches[b];
      if (branch.end == branch.begin) continue;
      micro.batch.segments.push_back(
          {first_row + branch.begin, first_row + branch.end, context_of(*sample, b, first_row), -1});
    }
    lengths.resize(lengths.size() + size_t(sample->sequences), 0.0f);
    for (const UnitOf& unit : sample->units) {
      rows.push_back(first_row + unit.row);
      targets.push_back(unit.target);
      heads.push_back(unit.head);
      sequences.push_back(first_sequence + unit.sequence);
      weights.push_back(unit.weight);
      lengths[size_t(first_sequence + unit.sequence)] += 1;
    }
    for (int64_t a = 0; a < sample->sequences; ++a) {
      const AnswerLabels labels = sample->labels.empty() ? AnswerLabels() : sample->labels[size_t(a)];
      const bool ties = a > 0 && sample->sequences > 2 && labels.rating == rating.back();
      rank.push_back(a == 0 ? 0 : ties ? rank.back() : a);
      rating.push_back(labels.rating);
      desirable.push_back(labels.desirable);
      ratio.push_back(labels.ratio);
      safe.push_back(labels.safe);
      kinds.push_back(labels.kind);
      of_sample.push_back(int64_t(micro.units.size()));
      for (int64_t better = 0; better < a; ++better) {
        if (rank[size_t(first_sequence + better)] == rank.back()) continue;
        chosen.push_back(first_sequence + better);
        rejected.push_back(first_sequence + a);
      }
    }
    for (const Mark& mark : sample->marks) {
      mark_rows.push_back(first_row + mark.row);
      marks.push_back(first_sequence + mark.sequence);
      const bool labelled = !sample->labels.empty() && size_t(mark.step) < sample->labels[size_t(mark.sequence)].steps.size();
      steps.push_back(labelled ? sample->labels[size_t(mark.sequence)].steps[size_t(mark.step)] : std::numeric_limits<float>::quiet_NaN());
    }
    micro.units.push_back(int64_t(sample->units.size()));
  }

  micro.rows = int64_t(ids.size());
  micro.batch.ids_N = as_tensor(ids, device);
  std::vector<at::Tensor> axis_rows;
  for (const auto& axis : positions) axis_rows.push_back(as_tensor(axis, device));
  micro.batch.positions_AN = at::stack(axis_rows);
  micro.row_U = as_tensor(rows, device);
  micro.target_U = as_tensor(targets, device);
  if (std::any_of(heads.begin(), heads.end(), [](int64_t head) { return head != 0; })) micro.head_U = as_tensor(heads, device);
  micro.scores.weight_U = as_tensor(weights, device);
  micro.scores.sequence_U = as_tensor(sequences, device);
  micro.scores.length_B = as_tensor(lengths, device);
  micro.scores.sample_B = as_tensor(of_sample, device);
  micro.scores.rank_B = as_tensor(rank, device);
  micro.scores.rating_B = as_tensor(rating, device);
  micro.scores.desirable_B = as_tensor(desirable, device);
  micro.scores.ratio_B = as_tensor(ratio, device);
  micro.mark_row_M = as_tensor(mark_rows, device);
  micro.scores.mark_M = as_tensor(marks, device);
  micro.scores.step_M = as_tensor(steps, device);
  micro.scores.safe_B = as_tensor(safe, device);
  micro.scores.class_B = as_tensor(kinds, device);
  micro.scores.chosen_P = as_tensor(chosen, device);
  micro.scores.rejected_P = as_tensor(rejected, device);
  return micro;
}

std::vector<std::vector<size_t>> split_by_rows(std::span<const Encoded* const> samples, int64_t budget) {
  std::vector<size_t> order(samples.size());
  std::iota(order.begin(), order.end(), size_t(0));
  const auto rows = [&](size_t i) { return int64_t(samples[i]->ids.size()); };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return rows(a) > rows(b); });

  std::vector<std::vector<size_t>> split;
  std::vector<int64_t> filled;
  for (const size_t i : order) {  // First fit, decreasing.
    size_t bin = 0;
    while (bin < split.size() && filled[bin] + rows(i) > budget) ++bin;
    if (bin == split.size()) split.emplace_back(), filled.push_back(0);
    split[bin].push_back(i);
    filled[bin] += rows(i);
  }
  return split;
}

namespace {

nn::UnitScores unit_scores(Model& model, const at::Tensor& hidden_ND, const MicroBatch& micro, const Needs& needs) {
  const auto score = [&](int32_t head, const at::Tensor& rows, const at::Tensor& targets) {
    return nn::unit_scores(hidden_ND.index_select(0, rows), targets, model.head(head), needs.uniform, needs.collision);
  };
  if (!micro.head_U.defined()) return score(0, micro.row_U, micro.target_U);

  const at::Tensor none_U = at::zeros({micro.row_U.size(0)}, micro.scores.weight_U.options());
  nn::UnitScores all{none_U, needs.uniform ? none_U : at::Tensor(), needs.collision ? none_U : at::Tensor()};
  const at::Tensor present = std::get<0>(at::_unique(micro.head_U.cpu()));
  for (int64_t i = 0; i < present.size(0); ++i) {
    const int64_t head = present[i].item<int64_t>();
    const at::Tensor units = (micro.head_U == head).nonzero().squeeze(1);
    const nn::UnitScores part = score(int32_t(head), micro.row_U.index_select(0, units), micro.target_U.index_select(0, units));
    all.logprob_U = all.logprob_U.index_copy(0, units, part.logprob_U);
    if (needs.uniform) all.uniform_U = all.uniform_U.index_copy(0, units, part.uniform_U);
    if (needs.collision) all.collision_U = all.collision_U.index_copy(0, units, part.collision_U);
  }
  return all;
}

}  // namespace

void score(Model& model, const ValueHead& value, Model* teacher, const Needs& needs, MicroBatch& micro) {
  const at::Tensor hidden_ND = model.hidden(micro.batch, nullptr);
  if (needs.values > 0) {
    const auto wide = [](const at::Tensor& of) { return of.defined() ? of.to(at::kFloat) : of; };
    micro.scores.value_MK = at::linear(wide(hidden_ND.index_select(0, micro.mark_row_M)), wide(value.weight_KD), wide(value.bias_K));
    return;
  }
  const nn::UnitScores found = unit_scores(model, hidden_ND, micro, needs);
  micro.scores.logprob_U = found.logprob_U;
  micro.scores.uniform_U = found.uniform_U;
  micro.scores.collision_U = found.collision_U;
  if (needs.divergence.kind == DivergenceKind::kNone) return;
  if (micro.head_U.defined()) throw Error("distillation takes models with one head");
  if (micro.teacher_UK.defined()) {
    micro.scores.divergence_U = nn::top_divergence(hidden_ND.index_select(0, micro.row_U), model.head(0), micro.target_U, micro.teacher_ids_UK,
                                                   micro.teacher_UK, needs.divergence);
    return;
  }
  at::Tensor teacher_ND;
  {
    const at::NoGradGuard no_grad;
    teacher_ND = teacher->hidden(micro.batch, nullptr);
  }
  micro.scores.divergence_U = nn::divergence(hidden_ND.index_select(0, micro.row_U), model.head(0),
                                             teacher_ND.index_select(0, micro.row_U), teacher->head(0), needs.divergence);
}

at::Tensor log_likelihood(Model& model, const MicroBatch& micro) {
  return unit_scores(model, model.hidden(micro.batch, nullptr), micro, {}).logprob_U;
}

}  // namespace attune
