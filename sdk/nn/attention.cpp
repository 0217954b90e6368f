// SPDX-License-Identifier: Apache-2.0
#include "nn/attention.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>

#include "attune/error.h"
#include "nn/fused_attention.h"
#include "nn/varlen_attention.h"
#include "nn/window.h"

namespace attune::nn {
namespace {

at::Tensor rows(const at::Tensor& tensor, std::pair<int64_t, int64_t> range) {
  return tensor.slice(0, range.first, range.second);
}

void check(const at::Tensor& query_NHd, const at::Tensor& key_NGd,
           const std::vector<Segment>& segments) {
  int64_t covered = 0;
  for (const Segment& segment : segments) covered += segment.end - segment.begin;
  if (covered != query_NHd.size(0)) {
    throw Error("attention: expected segments that cover " + std::to_string(query_NHd.size(0)) +
                    " rows, found " + std::to_string(covered),
                ATTUNE_E_INTERNAL);
  }
  if (query_NHd.size(1) % key_NGd.size(1)) {
    throw Error("attention: " + std::to_string(query_NHd.size(1)) + " query heads cannot share " +
                std::to_string(key_NGd.size(1)) + " key heads evenly");
  }
}

at::Tensor with_cache(const at::Tensor& query_NHd, const at::Tensor& key_NGd,
                      const at::Tensor& value_NGd, const std::vector<Segment>& segments,
                      KeyValueCache& cache, int64_t layer, const AttentionOptions& options) {
  std::vector<at::Tensor> keys, values;
  for (const Segment& segment : segments) {
    if (segment.slot < 0 || !segment.context.empty()) {
      throw Error("attention: with a cache a segment has a slot and no context", ATTUNE_E_INTERNAL);
    }
    const std::pair own{segment.begin, segment.end};
    auto [key, value] = cache.append(layer, segment.slot, rows(key_NGd, own), rows(value_NGd, own));
    // No row of the segment reaches further back than its first one.
    const int64_t reach = segment.end - segment.begin + options.window - 1;
    const int64_t first = options.window > 0 ? std::max<int64_t>(0, key.size(0) - reach) : 0;
    keys.push_back(key.slice(0, first)), values.push_back(value.slice(0, first));
  }
  if (has_varlen_attention(query_NHd, options))
    return varlen_attention(query_NHd, keys, values, segments, options);
  const at::Tensor out_NHd = at::empty_like(query_NHd);
  for (size_t s = 0; s < segments.size(); ++s) {
    if (segments[s].begin == segments[s].end) continue;
    const std::pair own{segments[s].begin, segments[s].end};
    const at::Tensor query = rows(query_NHd, own);
    rows(out_NHd, own)
        .copy_(query.is_cpu() && options.softcap == 0
                   ? fused_attention(query, keys[s], values[s], options)
                   : masked_attention(query, keys[s], values[s], options));
  }
  return out_NHd;
}

}  // namespace

KeyValueCache::KeyValueCache(int64_t layers, int64_t slots, int64_t capacity, int64_t key_heads,
                             int64_t head_size, at::TensorOptions options)
    : keys_LSCGd_(at::empty({layers, slots, capacity, key_heads, head_size}, options)),
      values_LSCGd_(at::empty({layers, slots, capacity, key_heads, head_size}, options)),
      length_(slots) {}

std::pair<at::Tensor, at::Tensor> KeyValueCache::append(int64_t layer, int64_t slot,
                                                        const at::Tensor& key_RGd,
                                                        const at::Tensor& value_RGd) {
  const int64_t begin = length(slot), end = begin + key_RGd.size(0);
  if (end > keys_LSCGd_.size(2)) {
    throw Error("key-value cache: slot " + std::to_string(slot) + " has room for " +
                std::to_string(keys_LSCGd_.size(2)) + " rows, but " + std::to_string(end) +
                " are needed; ask for a larger capacity");
  }
  const at::Tensor keys = keys_LSCGd_[layer][slot], values = values_LSCGd_[layer][slot];
  keys.slice(0, begin, end).copy_(key_RGd);
  values.slice(0, begin, end).copy_(value_RGd);
  return {keys.slice(0, 0, end), values.slice(0, 0, end)};
}

void KeyValueCache::advance(const std::vector<Segment>& segments) {
  for (const Segment& segment : segments) length_.at(segment.slot) += segment.end - segment.begin;
}

at::Tensor attention(const at::Tensor& query_NHd, const at::Tensor& key_NGd,
                     const at::Tensor& value_NGd, const std::vector<Segment>& segments,
                     KeyValueCache* cache, int64_t layer, const AttentionOptions& options) {
  check(query_NHd, key_NGd, segments);
  if (cache) return with_cache(query_NHd, key_NGd, value_NGd, segments, *cache, layer, options);
  if (query_NHd.is_cpu() && options.softcap == 0)
    return fused_attention(query_NHd, key_NGd, value_NGd, segments, options);
  if (!has_varlen_attention(query_NHd, options))
    return plain_attention(query_NHd, key_NGd, value_NGd, segments, options);
  return varlen_attention(query_NHd, key_NGd, value_NGd, segments, options);
}

at::Tensor plain_attention(const at::Tensor& query_NHd, const at::Tensor& key_NGd,
                           const at::Tensor& value_NGd, const std::vector<Segment>& segments,
                           const AttentionOptions& options) {
  std::vector<Segment> ordered = in_blocks(segments, options.window);
  std::sort(ordered.begin(), ordered.end(),
            [](const Segment& a, const Segment& b) { return a.begin < b.begin; });
  std::vector<at::Tensor> outs;
  for (const Segment& segment : ordered) {
    outs.push_back(masked_attention(rows(query_NHd, {segment.begin, segment.end}),
                                    attended_rows(key_NGd, segment),
                                    attended_rows(value_NGd, segment), options));
  }
  return at::cat(outs);
}

}  // namespace attune::nn
