// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "nn/attention.h"

namespace attune::nn {

/// attention() on a CPU. REQUIRES: no soft-cap.
at::Tensor fused_attention(const at::Tensor& query_NHd, const at::Tensor& key_NGd,
                           const at::Tensor& value_NGd, const std::vector<Segment>& segments,
                           const AttentionOptions& options);

/// One segment without a gradient: R queries, the last of K keys lining up with the last query.
at::Tensor fused_attention(const at::Tensor& query_RHd, const at::Tensor& key_KGd,
                           const at::Tensor& value_KGd, const AttentionOptions& options);

}  // namespace attune::nn
