// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

#include "attune/model.h"

namespace attune::nn {

/// Legend: N rows, H query heads, G key heads (H a multiple of G), d head size.

/// Keys and values of every layer, appended in place to room that is taken once. A slot's rows lie
/// together.
class KeyValueCache final : public Cache {
 public:
  KeyValueCache(int64_t layers, int64_t slots, int64_t capacity, int64_t key_heads,
                int64_t head_size, at::TensorOptions options);

  int64_t length(int64_t slot) const override { return length_.at(slot); }
  void clear(int64_t slot) override { length_.at(slot) = 0; }

  /// Puts rows behind what the slot holds, in one layer; returns all keys and values of that layer:
  /// length + R rows.
  std::pair<at::Tensor, at::Tensor> append(int64_t layer, int64_t slot, const at::Tensor& key_RGd,
                                           const at::Tensor& value_RGd);
  /// Called once all layers have appended.
  void advance(const std::vector<Segment>& segments);

 private:
  at::Tensor keys_LSCGd_, values_LSCGd_;
  std::vector<int64_t> length_;
};

struct AttentionOptions {
  double scale = 0;    ///< what scores are multiplied with; 0: 1 / sqrt(d)
  double softcap = 0;  ///< 0: none; else a score s becomes softcap * tanh(s / softcap)
  /// 0: none; else a row attends to itself and to the window - 1 rows before it, its context's and
  /// its slot's included.
  int64_t window = 0;

  bool operator==(const AttentionOptions&) const = default;
};

/// Scaled dot-product attention: N x H x d. Every row belongs to one segment; it attends to the
/// segment's context, to what its slot holds, and causally to the segment itself. With a cache no
/// gradient flows.
///
/// Rationale: on a CPU, queries of all heads that share a key head are rows of one matrix, and a tile
/// of them is multiplied with just the keys that one of its rows reaches: so a shared prompt is
/// neither copied nor masked, and what a window or causality closes is mostly not computed. Two
/// plain products and a pass over scores go forward, five and a pass back: at the lengths of
/// training that is several times faster than LibTorch's own kernel, whose tiles are small. Memory is
/// a tile and the log-sum-exp. On CUDA it is one variable-length flash attention for the whole
/// batch. A soft-cap takes plain operators.
at::Tensor attention(const at::Tensor& query_NHd, const at::Tensor& key_NGd,
                     const at::Tensor& value_NGd, const std::vector<Segment>& segments,
                     KeyValueCache* cache, int64_t layer, const AttentionOptions& options = {});

/// The same by plain operators with an explicit mask: for devices, dtypes and options without a
/// fused kernel, and as a check.
at::Tensor plain_attention(const at::Tensor& query_NHd, const at::Tensor& key_NGd,
                           const at::Tensor& value_NGd, const std::vector<Segment>& segments,
                           const AttentionOptions& options = {});

}  // namespace attune::nn
