// SPDX-License-Identifier: Apache-2.0
#include "nn/divergence.h"

#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <limits>
#include <optional>

#include "attune/error.h"
#include "nn/head_tiles.h"

namespace attune::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::Variable;
using torch::autograd::variable_list;

struct Inputs {
  at::Tensor teacher_UE, teacher_VE, teacher_bias_V;
  Shaping student, teacher;
  DivergenceKind kind;
};

at::Tensor log_sum_exp(Tiles& tiles) {
  const at::Tensor lse_U1 = at::full({tiles.hidden_UD().size(0), 1}, -std::numeric_limits<double>::infinity(),
                                     tiles.hidden_UD().options().dtype(at::kDouble));
  tiles.visit(
      false,
      [&](const Tile& tile, at::Tensor& z, const Stretch&, const at::Tensor&) {
        const at::Tensor lse = lse_U1.narrow(0, tile.u, tile.rows);
        lse.copy_(at::logaddexp(lse, at::logsumexp(z, 1, true).to(at::kDouble)));
      },
      [](int64_t, int64_t) {});
  return lse_U1;
}

/// Log-probabilities of a tile under both, and under the mixture of js.
struct Logs {
  Logs(const Tile& tile, const at::Tensor& z, const at::Tensor& lse_U1, const at::Tensor& z_teacher, const at::Tensor& teacher_lse_U1,
       const DivergenceKind& kind)
      : s(z - lse_U1.narrow(0, tile.u, tile.rows)), t(z_teacher - teacher_lse_U1.narrow(0, tile.u, tile.rows)) {
    if (kind.kind == DivergenceKind::kJs) m = at::logaddexp(t + std::log(kind.beta), s + std::log1p(-kind.beta));
  }
  at::Tensor s, t, m;
};

class TheDivergence final : public Function<TheDivergence> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& hidden_UD, const Variable& weight_VD, const std::optional<Variable>& bias,
                          const Inputs& in) {
    const at::Tensor bias_V = bias.value_or(at::Tensor());
    Tiles tiles(hidden_UD, weight_VD, bias_V, in.student, 0);
    Tiles teacher(in.teacher_UE, in.teacher_VE, in.teacher_bias_V, in.teacher, 0);
    const at::Tensor lse_U1 = log_sum_exp(tiles), teacher_lse_U1 = log_sum_exp(teacher);
    const at::Tensor value_U = at::zeros({hidden_UD.size(0)}, lse_U1.options()), mean_U = at::zeros_like(value_U);
    tiles.visit(
        false,
        [&](const Tile& tile, at::Tensor& z, const Stretch&, const at::Tensor&) {
          const Logs log(tile, z, lse_U1, teacher.logits(tile), teacher_lse_U1, in.kind);
          const auto add = [&](const at::Tensor& to, const at::Tensor& terms) { to.narrow(0, tile.u, tile.rows).add_(terms.sum(1)); };
          if (in.kind.kind == DivergenceKind::kForward) return add(value_U, log.t.exp() * (log.t - log.s));
          if (in.kind.kind == DivergenceKind::kReverse) return add(value_U, log.s.exp() * (log.s - log.t));
          const at::Tensor of_student = (1 - in.kind.beta) * log.s.exp() * (log.s - log.m);
          add(mean_U, of_student);
          add(value_U, in.kind.beta * log.t.exp() * (log.t - log.m) + of_student);
        },
        [](int64_t, int64_t) {});
    ctx->save_for_backward({hidden_UD, weight_VD, bias_V, in.teacher_UE, in.teacher_VE, in.teacher_bias_V, lse_U1, teacher_lse_U1,
                            in.kind.kind == DivergenceKind::kReverse ? value_U : mean_U});
    ctx->saved_data["shaping"] = std::vector<double>{in.student.scale, in.student.softcap, in.student.temperature,
                                                     in.teacher.scale, in.teacher.softcap, in.teacher.temperature};
    ctx->saved_data["kind"] = int64_t(in.kind.kind);
    ctx->saved_data["beta"] = in.kind.beta;
    return value_U.to(Tiles::wide(hidden_UD));
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const at::NoGradGuard no_grad;
    const auto saved = ctx->get_saved_variables();
    const auto shaping = ctx->saved_data["shaping"].toDoubleVector();
    DivergenceKind kind;
    kind.kind = DivergenceKind::Kind(ctx->saved_data["kind"].toInt());
    kind.beta = ctx->saved_data["beta"].toDouble();
    Tiles tiles(saved[0], saved[1], saved[2], {shaping[0], shaping[1], shaping[2]}, 0);
    Tiles teacher(saved[3], saved[4], saved[5], {shaping[3], shaping[4], shaping[5]}, 0);
    const at::Tensor &lse_U1 = saved[6], &teacher_lse_U1 = saved[7];
    const at::Tensor mean_U1 = saved[8].unsqueeze(1), c_U1 = grads[0].unsqueeze(1).to(at::kDouble);
    HeadGradients gradients(tiles, saved[0], saved[1], saved[2], ctx->needs_input_grad(0), ctx->needs_input_grad(1),
                            saved[2].defined() && ctx->needs_input_grad(2));
    tiles.visit(
        true,
        [&](const Tile& tile, at::Tensor& z, const Stretch& weight, const at::Tensor& slope) {
          const Logs log(tile, z, lse_U1, teacher.logits(tile), teacher_lse_U1, kind);
          const at::Tensor mean = mean_U1.narrow(0, tile.u, tile.rows), c = c_U1.narrow(0, tile.u, tile.rows);
          at::Tensor gradient;
          if (kind.kind == DivergenceKind::kForward) gradient = log.s.exp() - log.t.exp();
          else if (kind.kind == DivergenceKind::kReverse) gradient = log.s.exp() * (log.s - log.t - mean);
          else gradient = log.s.exp() * ((1 - kind.beta) * (log.s - log.m) - mean);
          z.copy_(c * gradient);
          gradients.add(tile, z, weight, slope);
        },
        [&](int64_t v, int64_t entries) { gradients.end_stretch(v, entries); });
    gradients.finish();
    return {gradients.hidden, gradients.weight, gradients.bias, Variable()};
  }
};

}  // namespace

at::Tensor divergence(const at::Tensor& student_UD, const Head& student, const at::Tensor& teacher_UE, const Head& teacher,
                      const DivergenceKind& kind) {
  if (student.weight_VD.size(0) != teacher.weight_VD.size(0)) {
    throw Error("the teacher's vocabulary has " + std::to_string(teacher.weight_VD.size(0)) + " tokens, the student's " +
                std::to_string(student.weight_VD.size(0)) + "; distributions compare over one vocabulary");
  }
  const Inputs in{teacher_UE.detach(),
                  teacher.weight_VD.detach(),
                  teacher.bias_V.defined() ? teacher.bias_V.detach() : at::Tensor(),
                  {student.scale, student.softcap, kind.temperature},
                  {teacher.scale, teacher.softcap, kind.temperature},
                  kind};
  return TheDivergence::apply(student_UD, student.weight_VD, student.bias_V.defined() ? std::optional(student.bias_V) : std::nullopt, in);
}

}  // namespace attune::nn
