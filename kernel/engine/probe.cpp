// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/probe.h"

#include <ATen/ATen.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "nn/likelihood.h"

namespace attune {
namespace {

using Clock = std::chrono::steady_clock;

/// Bytes handed out on this thread and given back, while it lives. The backward pass is on the caller's thread on a CPU, and keeps
/// what is thread-local elsewhere.
class Meter {
 public:
  Meter() : count_(std::make_shared<Count>()), guard_(c10::DebugInfoKind::PROFILER_STATE, count_) {}

  int64_t live() const { return count_->live; }
  /// The most since the last call of mark().
  int64_t peak() const { return count_->peak; }
  int64_t mark() { return count_->peak = count_->live; }

 private:
  struct Count final : c10::MemoryReportingInfoBase {
    void reportMemoryUsage(void*, int64_t bytes, size_t, size_t, c10::Device) override { peak = std::max(peak, live += bytes); }
    bool memoryProfilingEnabled() const override { return true; }
    int64_t live = 0, peak = 0;
  };
  std::shared_ptr<Count> count_;
  c10::DebugInfoGuard guard_;
};

at::Device device_of(Model& model) { return model.parameters().front().tensor.device(); }

/// `rows` rows in stretches, through layers [first, end), with a gradient to what comes before them.
Batch rows_of(Model& model, int64_t rows, int64_t length, int64_t first, int64_t end, bool again) {
  Batch batch;
  const auto whole = at::TensorOptions(device_of(model)).dtype(at::kLong);
  batch.ids_N = at::zeros({rows}, whole);
  batch.positions_AN = at::arange(rows, whole).remainder(length).expand({model.shape().position_axes, rows});
  for (int64_t begin = 0; begin < rows; begin += length) batch.segments.push_back({begin, std::min(begin + length, rows), {}, -1});
  batch.first_layer = first, batch.end_layer = end;
  batch.recompute = again ? end : 0;
  return batch;
}

void drop_gradients(Model& model) {
  for (Parameter& parameter : model.parameters()) {
    parameter.tensor.mutable_grad().reset();
    if (!parameter.adapter) continue;
    for (at::Tensor* part : {&parameter.adapter->a_RI, &parameter.adapter->b_OR, &parameter.adapter->magnitude_O}) {
      if (part->defined()) part->mutable_grad().reset();
    }
  }
}

/// What a few layers do, in bytes.
struct Trace {
  int64_t forward, kept, first, later, gradients;
};

Trace trace(Model& model, int64_t rows, int64_t first, int64_t end, bool again) {
  Batch batch = rows_of(model, rows, rows, first, end, again);
  Trace made{};
  const at::Tensor noise = at::zeros({rows, model.shape().width}, at::TensorOptions(device_of(model)));
  Meter meter;
  {
    const at::NoGradGuard no_grad;
    const int64_t before = meter.mark();
    const at::Tensor hidden = model.hidden(batch, nullptr);
    made.forward = meter.peak() - before;
  }
  // The gradient to the rows before is where a real layer's would be: it is allocated in the backward pass.
  batch.noise_ND = noise.set_requires_grad(true);
  for (int64_t* peak : {&made.first, &made.later}) {
    batch.noise_ND.mutable_grad().reset();
    const int64_t before = meter.live();
    const at::Tensor hidden = model.hidden(batch, nullptr);
    made.kept = meter.live() - before;
    const at::Tensor gradient = at::zeros_like(hidden);
    const int64_t start = meter.mark();
    torch::autograd::backward({hidden}, {gradient});
    *peak = meter.peak() - start;
    if (peak == &made.first) made.gradients = meter.live() - start + made.kept - 2 * int64_t(hidden.nbytes());
  }
  drop_gradients(model);
  return made;
}

Line through(int64_t few, int64_t few_rows, int64_t many, int64_t many_rows) {
  const double slope = double(many - few) / double(many_rows - few_rows);
  return {double(few) - slope * double(few_rows), slope};
}

template <typename Run>
double least_of_three(Run run) {
  double least = 1e300;
  for (int i = 0; i < 3; ++i) {
    const auto start = Clock::now();
    run();
    least = std::min(least, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return least;
}

}  // namespace

LayerMemory measure_layer(Model& model, int64_t index, bool again) {
  constexpr int64_t kFew = 64, kMany = 128;
  trace(model, kFew, index, index + 1, again);  // The first call makes what LibTorch makes once.
  const Trace with[] = {trace(model, kFew, index, index + 1, again), trace(model, kMany, index, index + 1, again)};
  const Trace without[] = {trace(model, kFew, index, index, false), trace(model, kMany, index, index, false)};
  LayerMemory made;
  made.forward = through(with[0].forward, kFew, with[1].forward, kMany);
  made.kept = through(with[0].kept - without[0].kept, kFew, with[1].kept - without[1].kept, kMany);
  made.first = through(with[0].first, kFew, with[1].first, kMany);
  made.later = through(with[0].later, kFew, with[1].later, kMany);
  made.gradients = with[0].gradients - without[0].gradients;
  return made;
}

LayerTime time_layer(Model& model, int64_t index, bool again, int64_t rows, int64_t length) {
  const at::Tensor noise = at::randn({rows, model.shape().width});
  const auto forward = [&](int64_t end) {
    const at::NoGradGuard no_grad;
    Batch batch = rows_of(model, rows, length, index, end, false);
    batch.noise_ND = noise;
    model.hidden(batch, nullptr);
  };
  const auto training = [&](int64_t end) {
    Batch batch = rows_of(model, rows, length, index, end, again);
    batch.noise_ND = noise.detach().set_requires_grad(true);
    const at::Tensor hidden = model.hidden(batch, nullptr);
    torch::autograd::backward({hidden}, {at::ones_like(hidden)});
  };
  LayerTime made;
  made.forward = least_of_three([&] { forward(index + 1); }) - least_of_three([&] { forward(index); });
  made.training = least_of_three([&] { training(index + 1); }) - least_of_three([&] { training(index); });
  drop_gradients(model);
  return made;
}

LayerTime time_head(Model& model, bool trained, int64_t rows, int64_t vocabulary) {
  Head head = model.head(0);
  head.weight_VD = head.weight_VD.detach().slice(0, 0, vocabulary).clone().set_requires_grad(trained);
  if (head.bias_V.defined()) head.bias_V = head.bias_V.detach().slice(0, 0, vocabulary).clone();
  const at::Tensor hidden_UD = at::randn({rows, head.weight_VD.size(1)}).to(head.weight_VD.scalar_type());
  const at::Tensor target_U = at::zeros({rows}, at::kLong);
  LayerTime made;
  made.forward = least_of_three([&] {
    const at::NoGradGuard no_grad;
    nn::log_likelihood(hidden_UD, target_U, head);
  });
  made.training = least_of_three([&] {
    head.weight_VD.mutable_grad().reset();
    nn::log_likelihood(hidden_UD.detach().set_requires_grad(true), target_U, head).sum().backward();
  });
  return made;
}

}  // namespace attune
