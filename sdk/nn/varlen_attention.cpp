// SPDX-License-Identifier: Apache-2.0
#include "nn/varlen_attention.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "attune/error.h"
#include "nn/layers.h"
#include "nn/to_device.h"
#include "nn/window.h"

namespace attune::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::Variable;
using torch::autograd::variable_list;

std::optional<double> scale_of(double scale) {
  return scale == 0 ? std::nullopt : std::optional(scale);
}

/// How many rows before its own a query reaches, as the kernel wants it said.
std::optional<int64_t> left_of(int64_t window) {
  return window == 0 ? std::nullopt : std::optional<int64_t>(window - 1);
}
std::optional<int64_t> right_of(int64_t window) {
  return window == 0 ? std::nullopt : std::optional<int64_t>(0);
}

at::Tensor on_device(const std::vector<int32_t>& values, const at::Tensor& like) {
  return to_device(at::tensor(values, at::kInt), like.device());
}

/// Where segments begin among queries and among keys, and which rows the keys of all segments are.
struct Layout {
  at::Tensor starts_q, starts_k;  ///< int32
  at::Tensor rows_K;              ///< int32; undefined where they are all rows in order
  int64_t longest_q = 0, longest_k = 0;
};

/// `keys_of(s)` is how many keys segment s has.
template <typename KeysOf>
Layout layout_of(const std::vector<Segment>& segments, const at::Tensor& like, KeysOf&& keys_of) {
  std::vector<int32_t> starts_q{0}, starts_k{0};
  Layout made;
  for (size_t s = 0; s < segments.size(); ++s) {
    if (segments[s].begin != starts_q.back())
      throw Error("attention: expected segments in the order of their rows", ATTUNE_E_INTERNAL);
    const int64_t n_q = segments[s].end - segments[s].begin, n_k = keys_of(s);
    starts_q.push_back(static_cast<int32_t>(segments[s].end));
    starts_k.push_back(static_cast<int32_t>(starts_k.back() + n_k));
    made.longest_q = std::max(made.longest_q, n_q), made.longest_k = std::max(made.longest_k, n_k);
  }
  made.starts_q = on_device(starts_q, like), made.starts_k = on_device(starts_k, like);
  return made;
}

/// The layout of segments that attend to their context. That of the last segments is kept, since all layers of a model
/// ask for the same.
Layout layout_of(const std::vector<Segment>& segments, const at::Tensor& like) {
  struct Kept {
    std::vector<Segment> segments;
    Layout layout;
  };
  static thread_local auto* const kept = new Kept;  // Outlives the device's context, which frees memory by itself.
  if (!segments.empty() && kept->segments == segments && kept->layout.starts_q.device() == like.device()) return kept->layout;
  std::vector<int32_t> rows;
  bool shared = false;
  Layout made = layout_of(segments, like, [&](size_t s) {
    const size_t before = rows.size();
    const auto add = [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) rows.push_back(static_cast<int32_t>(row));
    };
    for (const auto& range : segments[s].context) add(range.first, range.second);
    shared |= !segments[s].context.empty();
    add(segments[s].begin, segments[s].end);
    return static_cast<int64_t>(rows.size() - before);
  });
  if (shared) made.rows_K = on_device(rows, like);
  *kept = {segments, made};
  return made;
}

/// Rows by index; gradients of a row that was taken more than once are added in one order.
class TakeRows final : public Function<TakeRows> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& from_NGd, const Variable& rows_K) {
    ctx->save_for_backward({rows_K});
    ctx->saved_data["sizes"] = from_NGd.sizes();
    return from_NGd.index_select(0, rows_K);
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const at::Tensor rows_K = ctx->get_saved_variables()[0];
    const at::Tensor made = at::zeros(ctx->saved_data["sizes"].toIntVector(), grads[0].options());
    made.index_put_({std::optional(rows_K.to(at::kLong))}, grads[0], /*accumulate=*/true);
    return {made, Variable()};
  }
};

class Flash final : public Function<Flash> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& query, const Variable& key,
                          const Variable& value, const Variable& starts_q, const Variable& starts_k,
                          int64_t longest_q, int64_t longest_k, double scale, int64_t window) {
    const auto made = at::_flash_attention_forward(query, key, value, starts_q, starts_k, longest_q,
                                                   longest_k, 0.0, true, false, scale_of(scale),
                                                   left_of(window), right_of(window));
    ctx->save_for_backward({query, key, value, starts_q, starts_k, std::get<0>(made),
                            std::get<1>(made), std::get<2>(made), std::get<3>(made)});
    ctx->saved_data["longest_q"] = longest_q;
    ctx->saved_data["longest_k"] = longest_k;
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["window"] = window;
    return std::get<0>(made);
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const int64_t window = ctx->saved_data["window"].toInt();
    const auto [dq, dk, dv] = at::_flash_attention_backward(
        grads[0].contiguous(), saved[0], saved[1], saved[2], saved[5], saved[6], saved[3], saved[4],
        ctx->saved_data["longest_q"].toInt(), ctx->saved_data["longest_k"].toInt(), 0.0, true,
        saved[7], saved[8], scale_of(ctx->saved_data["scale"].toDouble()), left_of(window),
        right_of(window));
    return {dq, dk, dv, Variable(), Variable(), Variable(), Variable(), Variable(), Variable()};
  }
};

/// Scores with a soft-cap, by plain operators.
at::Tensor capped(const at::Tensor& query_HRd, const at::Tensor& key_HKd,
                  const at::Tensor& value_HKd, const at::Tensor& mask_RK, double scale,
                  double softcap) {
  const auto stored = query_HRd.scalar_type(), dtype = compute_dtype(query_HRd);
  const at::Tensor score_HRK =
      at::matmul(query_HRd.to(dtype), key_HKd.to(dtype).transpose(1, 2)) * scale;
  const at::Tensor capped_HRK =
      ((score_HRK / softcap).tanh() * softcap)
          .masked_fill(mask_RK.logical_not(), -std::numeric_limits<double>::infinity());
  const at::Tensor share_HRK =
      at::softmax(capped_HRK, -1, dtype == at::kDouble ? at::kDouble : at::kFloat);
  return at::matmul(share_HRK.to(dtype), value_HKd.to(dtype)).to(stored);
}

at::Tensor masked(const at::Tensor& query_RHd, const at::Tensor& key_KGd,
                  const at::Tensor& value_KGd, const AttentionOptions& options) {
  const int64_t group = query_RHd.size(1) / key_KGd.size(1);
  const at::Tensor query = query_RHd.transpose(0, 1),
                   key = key_KGd.repeat_interleave(group, 1).transpose(0, 1),
                   value = value_KGd.repeat_interleave(group, 1).transpose(0, 1);
  const at::Tensor mask =
      window_mask(query_RHd.size(0), key_KGd.size(0), options.window, query_RHd.device());
  const double scale = options.scale == 0 ? 1 / std::sqrt(query_RHd.size(2)) : options.scale;
  if (options.softcap != 0)
    return capped(query, key, value, mask, scale, options.softcap).transpose(0, 1);
  const auto one = [](const at::Tensor& heads) { return heads.unsqueeze(0); };
  return at::scaled_dot_product_attention(one(query), one(key), one(value), mask, 0.0, false, scale)
      .squeeze(0)
      .transpose(0, 1);
}

/// masked() that keeps its inputs only, and computes the scores again for their gradients: those of
/// a block of queries at a time.
class Recomputed final : public Function<Recomputed> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& query, const Variable& key,
                          const Variable& value, const AttentionOptions& options) {
    ctx->save_for_backward({query, key, value});
    ctx->saved_data["scale"] = options.scale;
    ctx->saved_data["softcap"] = options.softcap;
    ctx->saved_data["window"] = options.window;
    const at::Tensor out = at::empty(query.sizes(), query.options());
    for_blocks(query.size(0), key.size(0), [&](int64_t begin, int64_t end, int64_t seen) {
      out.slice(0, begin, end)
          .copy_(masked(query.slice(0, begin, end), key.slice(0, 0, seen), value.slice(0, 0, seen),
                        options));
    });
    return out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const AttentionOptions options{.scale = ctx->saved_data["scale"].toDouble(),
                                   .softcap = ctx->saved_data["softcap"].toDouble(),
                                   .window = ctx->saved_data["window"].toInt()};
    const at::Tensor grad_q = at::zeros_like(saved[0]), grad_k = at::zeros_like(saved[1]),
                     grad_v = at::zeros_like(saved[2]);
    for_blocks(saved[0].size(0), saved[1].size(0), [&](int64_t begin, int64_t end, int64_t seen) {
      const at::AutoGradMode recording(true);
      const auto leaf = [](const at::Tensor& rows) { return rows.detach().requires_grad_(); };
      const variable_list inputs = {leaf(saved[0].slice(0, begin, end)),
                                    leaf(saved[1].slice(0, 0, seen)),
                                    leaf(saved[2].slice(0, 0, seen))};
      const variable_list made =
          torch::autograd::grad({masked(inputs[0], inputs[1], inputs[2], options)}, inputs,
                                {grads[0].slice(0, begin, end)});
      const at::NoGradGuard no_grad;
      grad_q.slice(0, begin, end).copy_(made[0]);
      grad_k.slice(0, 0, seen).add_(made[1]);
      grad_v.slice(0, 0, seen).add_(made[2]);
    });
    return {grad_q, grad_k, grad_v, Variable()};
  }

 private:
  template <typename Visit>
  static void for_blocks(int64_t queries, int64_t keys, Visit&& visit) {
    constexpr int64_t kBlock = 256;
    for (int64_t begin = 0; begin < queries; begin += kBlock) {
      const int64_t end = std::min(begin + kBlock, queries);
      visit(begin, end, keys - queries + end);
    }
  }
};

}  // namespace

bool has_varlen_attention(const at::Tensor& query_NHd, const AttentionOptions& options) {
  const auto dtype = query_NHd.scalar_type();
  const int64_t d = query_NHd.size(2);
  return query_NHd.is_cuda() && (dtype == at::kBFloat16 || dtype == at::kHalf) && d % 8 == 0 &&
         d <= 256 && options.softcap == 0;
}

at::Tensor varlen_attention(const at::Tensor& query_NHd, const at::Tensor& key_NGd, const at::Tensor& value_NGd,
                            const std::vector<Segment>& segments, const AttentionOptions& options) {
  const Layout layout = layout_of(segments, query_NHd);
  const auto taken = [&](const at::Tensor& from_NGd) {
    return layout.rows_K.defined() ? at::Tensor(TakeRows::apply(from_NGd, layout.rows_K)) : from_NGd;
  };
  return Flash::apply(query_NHd, taken(key_NGd), taken(value_NGd), layout.starts_q, layout.starts_k, layout.longest_q,
                      layout.longest_k, options.scale, options.window);
}

at::Tensor varlen_attention(const at::Tensor& query_NHd, const std::vector<at::Tensor>& keys,
                            const std::vector<at::Tensor>& values,
                            const std::vector<Segment>& segments, const AttentionOptions& options) {
  const Layout layout = layout_of(segments, query_NHd, [&](size_t s) { return keys[s].size(0); });
  return Flash::apply(query_NHd, at::cat(keys), at::cat(values), layout.starts_q, layout.starts_k, layout.longest_q,
                      layout.longest_k, options.scale, options.window);
}

at::Tensor masked_attention(const at::Tensor& query_RHd, const at::Tensor& key_KGd,
                            const at::Tensor& value_KGd, const AttentionOptions& options) {
  if (options.softcap == 0) return masked(query_RHd, key_KGd, value_KGd, options);
  return Recomputed::apply(query_RHd, key_KGd, value_KGd, options);
}

at::Tensor attended_rows(const at::Tensor& rows_NGd, const Segment& segment) {
  const at::Tensor own = rows_NGd.slice(0, segment.begin, segment.end);
  if (segment.context.empty()) return own;
  std::vector<at::Tensor> parts;
  for (const auto& range : segment.context)
    parts.push_back(rows_NGd.slice(0, range.first, range.second));
  parts.push_back(own);
  return at::cat(parts);
}

}  // namespace attune::nn
