// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/plan.h"

#include <ATen/core/Tensor.h>

#include <algorithm>

#include "kernel/engine/adapters.h"

namespace attune {
namespace {

constexpr int64_t kLibTorch = 350 << 20;  // LibTorch, the host, tokenizer and allocator slack: resident at the first step.
constexpr int64_t kHeadChunk = 64 << 20;  // Logits of one chunk and their gradient.

}  // namespace

Json plan_run(const Json& run, const ModelShape& shape, const std::vector<Parameter>& parameters) {
  const Json& train = run.at("train");
  const auto frozen = run.at("model").value("freeze", std::vector<std::string>());
  const bool half = run.at("model").value("dtype", "float32") == "bfloat16";
  const int64_t element = half ? 2 : 4;
  int64_t all = 0, trainable = 0;
  const bool adapted = run.contains("adapter");
  const AdapterOptions adapter = AdapterOptions::from(run.value("adapter", Json::object()), 0);
  for (const Parameter& parameter : parameters) {
    all += parameter.tensor.numel();
    if (adapted) {
      if (adapter.takes(parameter)) trainable += adapter.rank * (parameter.tensor.size(0) + parameter.tensor.size(1));
      continue;
    }
    const bool fixed = std::any_of(frozen.begin(), frozen.end(), [&](const std::string& glob) { return matches(glob, parameter.name); });
    if (!fixed) trainable += parameter.tensor.numel();
  }
  const int64_t rows = std::max<int64_t>(train.value("tokens_per_batch", int64_t(8192)), train.value("max_length", int64_t(0)));
  int64_t rows_per_step = train.value("tokens_per_step", int64_t(0));
  const int64_t samples = train.value("samples_per_step", int64_t(0));
  if (rows_per_step == 0) rows_per_step = samples * train.value("max_length", int64_t(1024));
  const int64_t batch_rows = std::min(rows, rows_per_step);
  // Of layers that are computed again only the inputs are kept, and all of one layer at a time.
  const int64_t activations = train.value("activation_checkpointing", false) && shape.layers > 0
                                  ? shape.layers * shape.width + shape.activation_floats / shape.layers
                                  : shape.activation_floats;
  const bool live = run.contains("reference") && run.at("reference").value("mode", "cached") == "live";

  Json memory = {{"weights", all * element * (live ? 2 : 1) + (half ? trainable * 4 : 0)},
                 {"optimizer", trainable * 8},
                 {"gradients", trainable * 4 + (half ? trainable * 2 : 0)},
                 {"activations", batch_rows * activations * element},
                 {"head", kHeadChunk + shape.vocabulary * shape.width * 4},
                 {"base", kLibTorch}};
  int64_t total = 0;
  for (const auto& [part, bytes] : memory.items()) total += bytes.get<int64_t>();
  memory["total"] = total;

  // Two operations per weight forward, four backward; the head runs twice forward, on scored rows.
  const int64_t per_row = 6 * shape.block_parameters;
  const int64_t per_scored = 8 * shape.vocabulary * shape.width;
  return {{"parameters", all},
          {"trainable_parameters", trainable},
          {"memory", memory},
          {"rows_per_step_at_most", rows_per_step},
          {"flops_per_row", per_row},
          {"flops_per_scored_row", per_scored},
          {"flops_per_step_at_most", rows_per_step * (per_row + per_scored)}};
}

}  // namespace attune
