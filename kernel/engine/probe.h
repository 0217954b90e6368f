// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "attune/model.h"
#include "kernel/host/json.h"

/// What parts of a model do with memory and time, found by running them on a few rows: no formula to keep in step with
/// their operators. Parameters may hold anything. Bytes are those that LibTorch hands out.
namespace attune {

/// fixed + row * rows.
struct Line {
  double fixed = 0, row = 0;
  double at(double rows) const { return fixed + row * rows; }
};

struct LayerMemory {
  Line forward;          ///< the most above what was there, without a graph
  Line kept;             ///< from its forward to its backward pass
  Line first, later;     ///< the most in its backward pass above what was there, with gradients new or there already
  int64_t gradients = 0;  ///< of its parameters, in their dtype
};

/// Layer `index`; `again`: computed again in the backward pass.
LayerMemory measure_layer(Model& model, int64_t index, bool again);

/// Seconds of a layer for `rows` rows in stretches of `length` rows, the least of three.
struct LayerTime {
  double forward = 0;   ///< without a graph
  double training = 0;  ///< forward and backward
};
LayerTime time_layer(Model& model, int64_t index, bool again, int64_t rows, int64_t length);

/// The same of the head, for `rows` scored rows and `vocabulary` entries.
LayerTime time_head(Model& model, bool trained, int64_t rows, int64_t vocabulary);

}  // namespace attune
