// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "nn/attention.h"

namespace attune::nn {

/// Whether varlen_attention() takes this: half precision on CUDA, head size a multiple of 8 up to
/// 256, no soft-cap.
bool has_varlen_attention(const at::Tensor& query_NHd, const AttentionOptions& options);

/// Flash attention over all segments in one call. Segments in the order of their rows, without a gap.
at::Tensor varlen_attention(const at::Tensor& query_NHd, const at::Tensor& key_NGd, const at::Tensor& value_NGd,
                            const std::vector<Segment>& segments, const AttentionOptions& options);

/// The same where rows have keys of their own, as in a cache. `keys[s]` are all rows that segment s attends to,
/// its own last.
at::Tensor varlen_attention(const at::Tensor& query_NHd, const std::vector<at::Tensor>& keys,
                            const std::vector<at::Tensor>& values,
                            const std::vector<Segment>& segments, const AttentionOptions& options);

/// One segment by plain operators: R queries, the last of K keys lining up with the last query.
at::Tensor masked_attention(const at::Tensor& query_RHd, const at::Tensor& key_KGd,
                            const at::Tensor& value_KGd, const AttentionOptions& options);

/// The context's rows, then the segment's own.
at::Tensor attended_rows(const at::Tensor& rows_NGd, const Segment& segment);

}  // namespace attune::nn
