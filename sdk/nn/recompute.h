// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace attune::nn {

/// block(x), without what its backward pass needs: that is computed again then (activation
/// checkpointing: Chen et al., 2016). Parameters that `block` uses get their gradients as ever.
/// `block` must be pure, and hold what it needs.
at::Tensor recomputed(const std::function<at::Tensor(const at::Tensor&)>& block,
                      const at::Tensor& x);

}  // namespace attune::nn
