// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/step_audit.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>

#include "attune/error.h"

namespace attune {
namespace {

/// A sum over the bit patterns, each times an odd number of its place: equal tensors have equal sums, and updates that are
/// as often up as down do not cancel.
int64_t bits_of(const at::Tensor& tensor) {
  constexpr int64_t kChunk = 1 << 20;
  const at::Tensor flat = tensor.detach().contiguous().view(-1);
  const at::Tensor bits = flat.view(tensor.element_size() == 4 ? at::kInt : tensor.element_size() == 2 ? at::kShort : at::kByte);
  const at::Tensor place = at::arange(std::min(kChunk, bits.numel()), bits.options().dtype(bits.element_size() == 1 ? at::kInt : bits.scalar_type())).mul_(2).add_(1);
  uint64_t sum = 0;
  for (int64_t first = 0; first < bits.numel(); first += kChunk) {
    const at::Tensor part = bits.slice(0, first, first + kChunk);
    sum = sum * 31 + uint64_t((part * place.slice(0, 0, part.numel())).sum(at::kLong).item<int64_t>());
  }
  return int64_t(sum);
}

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < 8; ++i) text += (i ? ", " : "") + names[i];
  return text + (names.size() > 8 ? ", ... (" + std::to_string(names.size()) + " in all)" : "");
}

}  // namespace

StepAudit::StepAudit(const std::vector<Parameter>& all, const Optimizer& optimizer) : optimizer_(optimizer) {
  std::set<std::string> trainable;
  for (size_t i = 0; i < optimizer.trainable().size(); ++i) {
    const at::Tensor& master = optimizer.masters()[i];
    trainable.insert(optimizer.trainable()[i].name);
    if (!optimizer.trainable()[i].sparse) watched_.push_back({optimizer.trainable()[i].name, master, bits_of(master), true});
  }
  for (const Parameter& parameter : all) {
    if (trainable.contains(parameter.name)) continue;
    const at::Tensor& kept = parameter.packed && parameter.packed->there() ? parameter.packed->codes : parameter.tensor;
    watched_.push_back({parameter.name, kept, bits_of(kept), false});
  }
}

void StepAudit::verify() const {
  std::vector<std::string> still, changed;
  for (const Watched& watched : watched_) {
    const bool moved = bits_of(watched.tensor) != watched.bits;
    if (watched.trainable && !moved) still.push_back(watched.name);
    if (!watched.trainable && moved) changed.push_back(watched.name);
  }
  if (const auto without = optimizer_.without_gradient(); !without.empty()) {
    throw Error("after step 1 these trainable parameters had no gradient: " + list(without) +
                "; freeze them (model.freeze) or look why the loss does not reach them");
  }
  if (!still.empty()) throw Error("after step 1 these trainable parameters had not moved: " + list(still) + "; is the learning rate too small?");
  if (!changed.empty()) throw Error("after step 1 these frozen parameters had changed: " + list(changed));
}

}  // namespace attune
