// SPDX-License-Identifier: Apache-2.0
#include "nn/top_divergence.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <optional>

#include "nn/likelihood.h"

namespace attune::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::Variable;
using torch::autograd::variable_list;

constexpr int64_t kElements = int64_t{8}
                              << 20;  // Of gathered rows of the head, or of logits, at a time.
constexpr double kLeast = 1e-7;       // Of a probability of all other tokens.

at::Tensor wide(const at::Tensor& of) {
  return of.scalar_type() == at::kDouble ? of : of.to(at::kFloat);
}

/// hidden . weight of K vocabulary entries for each unit: U x K, without the U x K x D in between.
class Gathered final : public Function<Gathered> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& hidden_UD,
                          const Variable& weight_VD, const at::Tensor& ids_UK) {
    const at::Tensor h_UD = wide(hidden_UD), z_UK = at::empty(ids_UK.sizes(), h_UD.options());
    each(ids_UK, h_UD.size(1), [&](int64_t u, int64_t n) {
      const at::Tensor w = rows(weight_VD, ids_UK.narrow(0, u, n), h_UD);
      z_UK.narrow(0, u, n).copy_(at::matmul(w, h_UD.narrow(0, u, n).unsqueeze(2)).squeeze(2));
    });
    ctx->save_for_backward({hidden_UD, weight_VD, ids_UK});
    return z_UK;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &weight_VD = saved[1], &ids_UK = saved[2], h_UD = wide(saved[0]),
                     g_UK = gradients[0].contiguous();
    const at::Tensor hidden_gradient = at::empty_like(h_UD);
    const at::Tensor weight_gradient =
        ctx->needs_input_grad(1) ? at::zeros(weight_VD.sizes(), h_UD.options()) : at::Tensor();
    each(ids_UK, h_UD.size(1), [&](int64_t u, int64_t n) {
      const at::Tensor ids = ids_UK.narrow(0, u, n), g = g_UK.narrow(0, u, n);
      hidden_gradient.narrow(0, u, n).copy_(
          at::matmul(g.unsqueeze(1), rows(weight_VD, ids, h_UD)).squeeze(1));
      if (weight_gradient.defined()) {
        weight_gradient.index_add_(
            0, ids.reshape(-1), (g.unsqueeze(2) * h_UD.narrow(0, u, n).unsqueeze(1)).flatten(0, 1));
      }
    });
    const at::Tensor of_weight =
        weight_gradient.defined() ? weight_gradient.to(weight_VD.scalar_type()) : at::Tensor();
    return {hidden_gradient.to(saved[0].scalar_type()), of_weight, at::Tensor()};
  }

 private:
  static at::Tensor rows(const at::Tensor& weight_VD, const at::Tensor& ids,
                         const at::Tensor& like) {
    return weight_VD.index_select(0, ids.reshape(-1))
        .to(like.scalar_type())
        .view({ids.size(0), ids.size(1), weight_VD.size(1)});
  }
  template <typename Use>
  static void each(const at::Tensor& ids_UK, int64_t width, Use use) {
    const int64_t units = ids_UK.size(0),
                  some = std::max<int64_t>(
                      1, kElements / std::max<int64_t>(1, ids_UK.size(1) * width));
    for (int64_t u = 0; u < units; u += some) use(u, std::min(some, units - u));
  }
};

at::Tensor shaped(at::Tensor z_UK, const Head& head, const at::Tensor& ids_UK) {
  if (head.bias_V.defined())
    z_UK = z_UK + head.bias_V.index_select(0, ids_UK.reshape(-1)).view_as(ids_UK);
  if (head.scale != 1) z_UK = z_UK * head.scale;
  return head.softcap > 0 ? head.softcap * (z_UK / head.softcap).tanh() : z_UK;
}

/// Log-probabilities with one more column, that of all tokens not among them.
at::Tensor with_rest(const at::Tensor& log_UK) {
  const at::Tensor rest_U1 = (1 - log_UK.exp().sum(1, true)).clamp_min(kLeast).log();
  return at::cat({log_UK, rest_U1}, 1);
}

}  // namespace

std::pair<at::Tensor, at::Tensor> top_tokens(const at::Tensor& hidden_UE, const Head& head,
                                             int64_t k, double temperature) {
  const at::NoGradGuard no_grad;
  const int64_t units = hidden_UE.size(0), vocabulary = head.weight_VD.size(0),
                some = std::max<int64_t>(1, kElements / vocabulary);
  k = std::min(k, vocabulary);
  const at::Tensor ids_UK = at::empty({units, k}, hidden_UE.options().dtype(at::kLong)),
                   log_UK = at::empty({units, k}, hidden_UE.options().dtype(at::kFloat));
  for (int64_t u = 0; u < units; u += some) {
    const int64_t n = std::min(some, units - u);
    const at::Tensor log_RV =
        (logits(hidden_UE.narrow(0, u, n), head) / temperature).log_softmax(1);
    const auto [top, ids] = log_RV.topk(k, 1);
    ids_UK.narrow(0, u, n).copy_(ids);
    log_UK.narrow(0, u, n).copy_(top);
  }
  return {ids_UK, log_UK};
}

at::Tensor top_divergence(const at::Tensor& student_UD, const Head& student,
                          const at::Tensor& target_U, const at::Tensor& ids_UK,
                          const at::Tensor& teacher_UK, const DivergenceKind& kind) {
  // log S of an entry: its logit less the target's, plus the target's log-likelihood, which
  // log_likelihood knows without U x V.
  const at::Tensor all_UK1 = at::cat({target_U.unsqueeze(1), ids_UK}, 1);
  const at::Tensor z_UK1 =
      shaped(Gathered::apply(student_UD, student.weight_VD, all_UK1), student, all_UK1) /
      kind.temperature;
  const at::Tensor logprob_U =
      log_likelihood(student_UD, target_U, student, {.temperature = kind.temperature});
  const at::Tensor s = with_rest(z_UK1.narrow(1, 1, ids_UK.size(1)) - z_UK1.narrow(1, 0, 1) +
                                 logprob_U.unsqueeze(1));
  const at::Tensor t = with_rest(teacher_UK.to(s.scalar_type()));
  const auto divergence = [](const at::Tensor& p, const at::Tensor& q) {
    return (p.exp() * (p - q)).sum(1);
  };
  if (kind.kind == DivergenceKind::kForward) return divergence(t, s);
  if (kind.kind == DivergenceKind::kReverse) return divergence(s, t);
  const at::Tensor m = at::logaddexp(t + std::log(kind.beta), s + std::log1p(-kind.beta));
  return kind.beta * divergence(t, m) + (1 - kind.beta) * divergence(s, m);
}

}  // namespace attune::nn
