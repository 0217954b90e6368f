// SPDX-License-Identifier: Apache-2.0
#include "nn/varlen_attention.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <limits>

#include "attune/error.h"

namespace attune::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::Variable;
using torch::autograd::variable_list;

class Flash final : public Function<Flash> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& query, const Variable& key,
                          const Variable& value, const Variable& starts_q, const Variable& starts_k,
                          int64_t longest_q, int64_t longest_k) {
    const auto made = at::_flash_attention_forward(query, key, value, starts_q, starts_k, longest_q,
                                                   longest_k, 0.0, true, false);
    ctx->save_for_backward({query, key, value, starts_q, starts_k, std::get<0>(made),
                            std::get<1>(made), std::get<2>(made), std::get<3>(made)});
    ctx->saved_data["longest_q"] = longest_q;
    ctx->saved_data["longest_k"] = longest_k;
    return std::get<0>(made);
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const auto [dq, dk, dv] = at::_flash_attention_backward(
        grads[0].contiguous(), saved[0], saved[1], saved[2], saved[5], saved[6], saved[3], saved[4],
        ctx->saved_data["longest_q"].toInt(), ctx->saved_data["longest_k"].toInt(), 0.0, true,
        saved[7], saved[8]);
    return {dq, dk, dv, Variable(), Variable(), Variable(), Variable()};
  }
};

}  // namespace

bool has_varlen_attention(const at::Tensor& query_NHd) {
  const auto dtype = query_NHd.scalar_type();
  const int64_t d = query_NHd.size(2);
  return query_NHd.is_cuda() && (dtype == at::kBFloat16 || dtype == at::kHalf) && d % 8 == 0 &&
         d <= 256;
}

at::Tensor varlen_attention(const at::Tensor& query_NHd, const std::vector<at::Tensor>& keys,
                            const std::vector<at::Tensor>& values,
                            const std::vector<Segment>& segments) {
  std::vector<int32_t> starts_q{0}, starts_k{0};
  int64_t longest_q = 0, longest_k = 0;
  for (size_t s = 0; s < segments.size(); ++s) {
    if (segments[s].begin != starts_q.back())
      throw Error("attention: expected segments in the order of their rows", ATTUNE_E_INTERNAL);
    const int64_t n_q = segments[s].end - segments[s].begin, n_k = keys[s].size(0);
    starts_q.push_back(static_cast<int32_t>(segments[s].end));
    starts_k.push_back(static_cast<int32_t>(starts_k.back() + n_k));
    longest_q = std::max(longest_q, n_q), longest_k = std::max(longest_k, n_k);
  }
  const auto on_device = [&](const std::vector<int32_t>& starts) {
    return at::tensor(starts, at::kInt).to(query_NHd.device());
  };
  return Flash::apply(query_NHd, at::cat(keys), at::cat(values), on_device(starts_q),
                      on_device(starts_k), longest_q, longest_k);
}

at::Tensor masked_attention(const at::Tensor& query_RHd, const at::Tensor& key_KGd,
                            const at::Tensor& value_KGd) {
  const int64_t r = query_RHd.size(0), k = key_KGd.size(0),
                group = query_RHd.size(1) / key_KGd.size(1);
  const auto heads_first = [](const at::Tensor& rows) { return rows.transpose(0, 1).unsqueeze(0); };
  const at::Tensor mask = at::ones({r, k}, query_RHd.options().dtype(at::kBool)).tril(k - r);
  const at::Tensor out = at::scaled_dot_product_attention(
      heads_first(query_RHd), heads_first(key_KGd.repeat_interleave(group, 1)),
      heads_first(value_KGd.repeat_interleave(group, 1)), mask);
  return out.squeeze(0).transpose(0, 1);
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
