// SPDX-License-Identifier: Apache-2.0
#include "nn/likelihood.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "attune/error.h"
#include "nn/head_tiles.h"
#include "nn/parallel.h"
#include "nn/softmax_loops.h"

namespace attune::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::Variable;
using torch::autograd::variable_list;

bool has_loops(const at::Tensor& z) { return z.is_cpu() && z.scalar_type() == at::kFloat; }

constexpr int64_t kGrainElements = 16384;

/// Log-sum-exp over the vocabulary, and the target's logit, gathered tile by tile.
class Gathered {
 public:
  Gathered(const at::Tensor& hidden_UD, const at::Tensor& target_U, bool uniform, bool collision)
      : target_U_(target_U),
        lse_U(at::full({target_U.size(0)}, -std::numeric_limits<double>::infinity(),
                       hidden_UD.options().dtype(at::kDouble))),
        chosen_U(at::zeros_like(lse_U)) {
    if (uniform) sum_U = at::zeros_like(lse_U);
    if (collision) lse_twice_U = lse_U.clone();
  }

  void add(const Tile& tile, const at::Tensor& z) {
    has_loops(z) ? add_by_loops(tile, z) : add_by_operators(tile, z);
    if (sum_U.defined()) sum_U.narrow(0, tile.u, tile.rows).add_(z.sum(1, false, at::kDouble));
    if (lse_twice_U.defined()) {
      const at::Tensor lse = lse_twice_U.narrow(0, tile.u, tile.rows);
      lse.copy_(at::logaddexp(lse, at::logsumexp(2 * z, 1).to(at::kDouble)));
    }
  }

 private:
  void add_by_loops(const Tile& tile, const at::Tensor& z) {
    const float* logits = z.const_data_ptr<float>();
    const int64_t* target = target_U_.const_data_ptr<int64_t>() + tile.u;
    double *lse = lse_U.data_ptr<double>() + tile.u, *chosen = chosen_U.data_ptr<double>() + tile.u;
    parallel(tile.rows, std::max<int64_t>(1, kGrainElements / tile.entries),
             [&](int64_t begin, int64_t end) {
               for (int64_t r = begin; r < end; ++r) {
                 const float* row = logits + r * tile.entries;
                 const Peak found = peak(row, tile.entries);
                 const double here = found.largest + std::log(found.sum),
                              high = std::max(lse[r], here);
                 lse[r] = high + std::log(std::exp(lse[r] - high) + std::exp(here - high));
                 if (target[r] >= tile.v && target[r] < tile.v + tile.entries)
                   chosen[r] = row[target[r] - tile.v];
               }
             });
  }

  void add_by_operators(const Tile& tile, const at::Tensor& z) {
    const at::Tensor lse = lse_U.narrow(0, tile.u, tile.rows),
                     chosen = chosen_U.narrow(0, tile.u, tile.rows);
    lse.copy_(at::logaddexp(lse, at::logsumexp(z, 1).to(at::kDouble)));
    const at::Tensor entry = target_U_.narrow(0, tile.u, tile.rows) - tile.v;
    const at::Tensor here = (entry >= 0).logical_and(entry < tile.entries);
    const at::Tensor picked =
        z.gather(1, entry.clamp(0, tile.entries - 1).unsqueeze(1)).squeeze(1).to(at::kDouble);
    chosen.copy_(at::where(here, picked, chosen));
  }

  at::Tensor target_U_;

 public:
  at::Tensor lse_U, chosen_U;      ///< fp64
  at::Tensor sum_U, lse_twice_U;  ///< fp64: sum of logits, log-sum-exp of twice the logits; undefined unless wanted
};

/// Logits become dL/dlogit = c (onehot - softmax) + d (1 / V - softmax), in place; c and d are the gradients of the
/// target's and of the mean log-likelihood. `d_U` may be undefined.
void to_gradient(const Tile& tile, at::Tensor& z, const at::Tensor& lse_U, const at::Tensor& target_U, const at::Tensor& c_U,
                 const at::Tensor& d_U, int64_t vocabulary) {
  const at::Tensor both_U = d_U.defined() ? (c_U + d_U).contiguous() : c_U;
  if (!has_loops(z)) {
    const auto column = [&](const at::Tensor& of) { return of.narrow(0, tile.u, tile.rows).unsqueeze(1).to(z.scalar_type()); };
    z.sub_(column(lse_U)).exp_().mul_(-column(both_U));
    const at::Tensor entry = target_U.narrow(0, tile.u, tile.rows).unsqueeze(1) - tile.v;
    const at::Tensor here = (entry >= 0).logical_and(entry < tile.entries);
    z.scatter_add_(1, entry.clamp(0, tile.entries - 1), column(c_U) * here);
  } else {
    float* logits = z.data_ptr<float>();
    const int64_t* target = target_U.const_data_ptr<int64_t>() + tile.u;
    const double* lse = lse_U.const_data_ptr<double>() + tile.u;
    const float *c = c_U.const_data_ptr<float>() + tile.u, *both = both_U.const_data_ptr<float>() + tile.u;
    parallel(tile.rows, std::max<int64_t>(1, kGrainElements / tile.entries),
             [&](int64_t begin, int64_t end) {
               for (int64_t r = begin; r < end; ++r) {
                 float* row = logits + r * tile.entries;
                 scaled_exp(row, tile.entries, static_cast<float>(lse[r]), -both[r]);
                 if (target[r] >= tile.v && target[r] < tile.v + tile.entries)
                   row[target[r] - tile.v] += c[r];
               }
             });
  }
  if (d_U.defined()) z.add_(d_U.narrow(0, tile.u, tile.rows).unsqueeze(1), 1.0 / static_cast<double>(vocabulary));
}

class LogLikelihood final : public Function<LogLikelihood> {
 public:
  static variable_list forward(AutogradContext* ctx, const Variable& hidden_UD,
                               const Variable& weight_VD, const std::optional<Variable>& bias,
                               const Variable& target_U, const Shaping& shaping, int64_t chunk,
                               bool uniform, bool collision) {
    const at::Tensor bias_V = bias.value_or(at::Tensor());
    Tiles tiles(hidden_UD, weight_VD, bias_V, shaping, chunk);
    Gathered gathered(hidden_UD, target_U, uniform, collision);
    tiles.visit(
        false,
        [&](const Tile& tile, at::Tensor& z, const Stretch&, const at::Tensor&) {
          gathered.add(tile, z);
        },
        [](int64_t, int64_t) {});
    ctx->save_for_backward({hidden_UD, weight_VD, bias_V, target_U, gathered.lse_U});
    ctx->saved_data["shaping"] =
        std::vector<double>{shaping.scale, shaping.softcap, shaping.temperature};
    ctx->saved_data["chunk"] = chunk;
    const auto type = Tiles::wide(hidden_UD);
    const at::Tensor empty = at::empty({0}, hidden_UD.options().dtype(type));
    variable_list made = {(gathered.chosen_U - gathered.lse_U).to(type), empty, empty};
    if (uniform) made[1] = (gathered.sum_U / weight_VD.size(0) - gathered.lse_U).to(type);
    if (collision) made[2] = (gathered.lse_twice_U - 2 * gathered.lse_U).to(type);
    ctx->mark_non_differentiable({made[2]});
    return made;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const at::NoGradGuard no_grad;
    const auto saved = ctx->get_saved_variables();
    const auto &hidden_UD = saved[0], &weight_VD = saved[1], &bias_V = saved[2],
               &target_U = saved[3], &lse_U = saved[4];
    const auto shaping = ctx->saved_data["shaping"].toDoubleVector();
    const at::Tensor c_U = grads[0].defined() ? grads[0].contiguous() : at::zeros_like(lse_U, at::TensorOptions(Tiles::wide(hidden_UD)));
    const at::Tensor d_U = grads[1].defined() && grads[1].numel() == c_U.numel() ? grads[1] : at::Tensor();

    Tiles tiles(hidden_UD, weight_VD, bias_V, {shaping[0], shaping[1], shaping[2]},
                ctx->saved_data["chunk"].toInt());
    HeadGradients gradients(tiles, hidden_UD, weight_VD, bias_V, ctx->needs_input_grad(0), ctx->needs_input_grad(1),
                            bias_V.defined() && ctx->needs_input_grad(2));
    tiles.visit(
        true,
        [&](const Tile& tile, at::Tensor& z, const Stretch& weight, const at::Tensor& slope) {
          to_gradient(tile, z, lse_U, target_U, c_U, d_U, weight_VD.size(0));
          gradients.add(tile, z, weight, slope);
        },
        [&](int64_t v, int64_t entries) { gradients.end_stretch(v, entries); });
    gradients.finish();
    return {gradients.hidden, gradients.weight, gradients.bias, Variable(), Variable(), Variable(), Variable(), Variable()};
  }
};

}  // namespace

UnitScores unit_scores(const at::Tensor& hidden_UD, const at::Tensor& target_U, const Head& head, bool uniform, bool collision,
                       const HeadOptions& options) {
  if (options.temperature <= 0) {
    throw Error("log-likelihood: expected a temperature above 0, found " +
                std::to_string(options.temperature));
  }
  if (target_U.is_cpu() && target_U.numel()) {
    const auto [low, high] = at::aminmax(target_U);
    if (low.item<int64_t>() < 0 || high.item<int64_t>() >= head.weight_VD.size(0)) {
      throw Error("log-likelihood: a target lies outside the head's vocabulary of " +
                  std::to_string(head.weight_VD.size(0)) +
                  "; use the tokenizer that belongs to the model");
    }
  }
  const variable_list made = LogLikelihood::apply(
      hidden_UD, head.weight_VD, head.bias_V.defined() ? std::optional(head.bias_V) : std::nullopt,
      target_U.contiguous(), Shaping{head.scale, head.softcap, options.temperature}, options.chunk, uniform, collision);
  return {made[0], uniform ? made[1] : at::Tensor(), collision ? made[2] : at::Tensor()};
}

at::Tensor log_likelihood(const at::Tensor& hidden_UD, const at::Tensor& target_U, const Head& head,
                          const HeadOptions& options) {
  return unit_scores(hidden_UD, target_U, head, false, false, options).logprob_U;
}

at::Tensor logits(const at::Tensor& hidden_RD, const Head& head) {
  const at::NoGradGuard no_grad;
  const at::Tensor made = at::empty({hidden_RD.size(0), head.weight_VD.size(0)},
                                    hidden_RD.options().dtype(Tiles::wide(hidden_RD)));
  Tiles tiles(hidden_RD.detach(), head.weight_VD.detach(), head.bias_V,
              {head.scale, head.softcap, 1}, 0);
  tiles.visit(
      false,
      [&](const Tile& tile, at::Tensor& z, const Stretch&, const at::Tensor&) {
        made.narrow(0, tile.u, tile.rows).narrow(1, tile.v, tile.entries).copy_(z);
      },
      [](int64_t, int64_t) {});
  return made;
}

}  // namespace attune::nn
