// SPDX-License-Identifier: Apache-2.0
#include "nn/attention.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <numeric>
#include <string>

#include "attune/error.h"
#include "nn/layers.h"
#include "nn/varlen_attention.h"

namespace attune::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::Variable;
using torch::autograd::variable_list;

/// Queries as G x (H / G) x R x d, and keys as the same shape with stride 0: the kernel then reads
/// a key head for each of its query heads, and nothing is repeated in memory.
at::Tensor query_view(const at::Tensor& rows_RHd, int64_t key_heads) {
  return rows_RHd.view({rows_RHd.size(0), key_heads, -1, rows_RHd.size(2)}).permute({1, 2, 0, 3});
}
at::Tensor key_view(const at::Tensor& rows_RGd, int64_t group) {
  const at::Tensor heads = rows_RGd.permute({1, 0, 2}).unsqueeze(1);
  return heads.expand({heads.size(0), group, heads.size(2), heads.size(3)});
}

/// Keys that a segment attends to: all of them, or causally, the last query lining up with the last
/// key.
struct Part {
  at::Tensor key_RGd, value_RGd;
  bool causal = false;
};

struct Attended {
  at::Tensor out;  ///< G x (H / G) x R x d
  at::Tensor lse;  ///< G x (H / G) x R, fp32
};

Attended attend(const at::Tensor& query, const std::vector<Part>& parts) {
  Attended joint;
  for (const Part& part : parts) {
    auto [out, lse] = at::_scaled_dot_product_flash_attention_for_cpu(
        query, key_view(part.key_RGd, query.size(1)), key_view(part.value_RGd, query.size(1)), 0.0,
        part.causal);
    if (!joint.out.defined()) {
      joint = {out, lse};
      continue;
    }
    const at::Tensor total = at::logaddexp(joint.lse, lse);
    joint.out = joint.out * (joint.lse - total).exp().unsqueeze(-1) +
                out * (lse - total).exp().unsqueeze(-1);
    joint.lse = total;
  }
  return joint;
}

at::Tensor rows(const at::Tensor& tensor, std::pair<int64_t, int64_t> range) {
  return tensor.slice(0, range.first, range.second);
}

/// Segments through autograd's own store of plain data.
std::vector<int64_t> flatten(const std::vector<Segment>& segments) {
  std::vector<int64_t> flat;
  for (const Segment& segment : segments) {
    flat.insert(flat.end(),
                {segment.begin, segment.end, static_cast<int64_t>(segment.context.size())});
    for (const auto& range : segment.context) flat.insert(flat.end(), {range.first, range.second});
  }
  return flat;
}
std::vector<Segment> unflatten(const std::vector<int64_t>& flat) {
  std::vector<Segment> segments;
  for (size_t i = 0; i < flat.size();) {
    Segment& segment = segments.emplace_back(Segment{flat[i], flat[i + 1], {}, -1});
    const int64_t count = flat[i + 2];
    i += 3;
    for (int64_t c = 0; c < count; ++c, i += 2) segment.context.emplace_back(flat[i], flat[i + 1]);
  }
  return segments;
}

class FusedOnCpu final : public Function<FusedOnCpu> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& query_NHd, const Variable& key_NGd,
                          const Variable& value_NGd, const std::vector<Segment>& segments) {
    const auto dtype = compute_dtype(query_NHd);
    const at::Tensor q = query_NHd.to(dtype), k = key_NGd.to(dtype), v = value_NGd.to(dtype);
    const int64_t heads = q.size(1), groups = k.size(1);
    const at::Tensor out_NHd = at::empty_like(query_NHd);
    const at::Tensor lse_NH = at::empty(
        {q.size(0), heads}, q.options().dtype(dtype == at::kDouble ? at::kDouble : at::kFloat));
    for (const Segment& segment : segments) {
      if (segment.begin == segment.end) continue;
      const std::pair own{segment.begin, segment.end};
      std::vector<Part> parts{{rows(k, own), rows(v, own), true}};
      for (const auto& range : segment.context) {
        if (range.first < range.second) parts.push_back({rows(k, range), rows(v, range)});
      }
      const Attended made = attend(query_view(rows(q, own), groups), parts);
      query_view(rows(out_NHd, own), groups).copy_(made.out);
      rows(lse_NH, own).view({-1, groups, heads / groups}).permute({1, 2, 0}).copy_(made.lse);
    }
    ctx->save_for_backward({query_NHd, key_NGd, value_NGd, out_NHd, lse_NH});
    ctx->saved_data["segments"] = flatten(segments);
    return out_NHd;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const auto dtype = compute_dtype(saved[0]);
    const at::Tensor q = saved[0].to(dtype), k = saved[1].to(dtype), v = saved[2].to(dtype),
                     out = saved[3].to(dtype);
    const at::Tensor grad = grads[0].contiguous().to(dtype), lse_NH = saved[4];
    const int64_t heads = q.size(1), groups = k.size(1);
    const at::Tensor grad_q = at::empty_like(q), grad_k = at::zeros_like(k),
                     grad_v = at::zeros_like(v);
    for (const Segment& segment : unflatten(ctx->saved_data["segments"].toIntVector())) {
      if (segment.begin == segment.end) continue;
      const std::pair own{segment.begin, segment.end};
      const at::Tensor lse =
          rows(lse_NH, own).view({-1, groups, heads / groups}).permute({1, 2, 0});
      const auto part = [&](std::pair<int64_t, int64_t> range, bool causal) {
        const auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
            query_view(rows(grad, own), groups), query_view(rows(q, own), groups),
            key_view(rows(k, range), heads / groups), key_view(rows(v, range), heads / groups),
            query_view(rows(out, own), groups), lse, 0.0, causal);
        rows(grad_k, range).add_(dk.sum(1).transpose(0, 1));
        rows(grad_v, range).add_(dv.sum(1).transpose(0, 1));
        const at::Tensor to = query_view(rows(grad_q, own), groups);
        causal ? to.copy_(dq) : to.add_(dq);
      };
      part(own, true);
      for (const auto& range : segment.context) {
        if (range.first < range.second) part(range, false);
      }
    }
    const auto stored = saved[0].scalar_type();
    return {grad_q.to(stored), grad_k.to(stored), grad_v.to(stored), Variable()};
  }
};

/// One segment of one layer with a cache. Where the slot was empty its own rows are all there is.
at::Tensor attend_cached(const at::Tensor& query_RHd, const at::Tensor& all_keys,
                         const at::Tensor& all_values) {
  const int64_t held = all_keys.size(0) - query_RHd.size(0), groups = all_keys.size(1);
  const auto dtype = compute_dtype(query_RHd);
  const at::Tensor q = query_RHd.to(dtype), k = all_keys.to(dtype), v = all_values.to(dtype);
  std::vector<Part> parts;
  if (query_RHd.size(0) == 1) {
    parts.push_back({k, v});
  } else {
    parts.push_back({k.slice(0, held), v.slice(0, held), true});
    if (held > 0) parts.push_back({k.slice(0, 0, held), v.slice(0, 0, held)});
  }
  return attend(query_view(q, groups), parts).out.permute({2, 0, 1, 3}).reshape_as(query_RHd);
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
                      KeyValueCache& cache, int64_t layer) {
  std::vector<at::Tensor> keys, values;
  for (const Segment& segment : segments) {
    if (segment.slot < 0 || !segment.context.empty()) {
      throw Error("attention: with a cache a segment has a slot and no context", ATTUNE_E_INTERNAL);
    }
    const std::pair own{segment.begin, segment.end};
    auto [key, value] = cache.append(layer, segment.slot, rows(key_NGd, own), rows(value_NGd, own));
    keys.push_back(key), values.push_back(value);
  }
  if (has_varlen_attention(query_NHd)) return varlen_attention(query_NHd, keys, values, segments);
  const at::Tensor out_NHd = at::empty_like(query_NHd);
  for (size_t s = 0; s < segments.size(); ++s) {
    if (segments[s].begin == segments[s].end) continue;
    const std::pair own{segments[s].begin, segments[s].end};
    const at::Tensor query = rows(query_NHd, own);
    rows(out_NHd, own)
        .copy_(query.is_cpu() ? attend_cached(query, keys[s], values[s])
                              : masked_attention(query, keys[s], values[s]));
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
                     KeyValueCache* cache, int64_t layer) {
  check(query_NHd, key_NGd, segments);
  if (cache) return with_cache(query_NHd, key_NGd, value_NGd, segments, *cache, layer);
  if (query_NHd.is_cpu()) return FusedOnCpu::apply(query_NHd, key_NGd, value_NGd, segments);
  if (!has_varlen_attention(query_NHd))
    return plain_attention(query_NHd, key_NGd, value_NGd, segments);
  std::vector<at::Tensor> keys, values;
  for (const Segment& segment : segments) {
    keys.push_back(attended_rows(key_NGd, segment));
    values.push_back(attended_rows(value_NGd, segment));
  }
  return varlen_attention(query_NHd, keys, values, segments);
}

at::Tensor plain_attention(const at::Tensor& query_NHd, const at::Tensor& key_NGd,
                           const at::Tensor& value_NGd, const std::vector<Segment>& segments) {
  std::vector<at::Tensor> outs(segments.size());
  std::vector<size_t> order(segments.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return segments[a].begin < segments[b].begin; });
  for (size_t s = 0; s < order.size(); ++s) {
    const Segment& segment = segments[order[s]];
    outs[s] = masked_attention(rows(query_NHd, {segment.begin, segment.end}),
                               attended_rows(key_NGd, segment), attended_rows(value_NGd, segment));
  }
  return at::cat(outs);
}

}  // namespace attune::nn
