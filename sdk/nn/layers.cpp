// SPDX-License-Identifier: Apache-2.0
#include "nn/layers.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <string>

#include "attune/error.h"
#include "nn/norm_loops.h"

namespace attune::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::Variable;
using torch::autograd::variable_list;

/// Autograd's custom functions take no undefined tensor.
std::optional<at::Tensor> if_defined(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

bool cpu_multiplies_bf16() {
#if defined(__x86_64__)
  static const bool supported = __builtin_cpu_supports("avx512bf16");
  return supported;
#else
  return true;
#endif
}

/// Products of fewer rows are bound by reading the weight, so it is not worth converting.
constexpr int64_t kFewRows = 8;

at::Tensor product(const at::Tensor& x_NI, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  const auto dtype = x_NI.size(0) < kFewRows ? x_NI.scalar_type() : compute_dtype(x_NI);
  if (dtype == x_NI.scalar_type()) {
    return bias_O.defined() ? at::addmm(bias_O, x_NI, weight_OI.t()) : at::mm(x_NI, weight_OI.t());
  }
  const at::Tensor y_NO = at::mm(x_NI.to(dtype), weight_OI.to(dtype).t());
  if (bias_O.defined()) y_NO.add_(bias_O);
  return y_NO.to(x_NI.scalar_type());
}

/// Gradients of product() for the operands that need one.
struct ProductGradients {
  at::Tensor x_NI, weight_OI, bias_O;
};
ProductGradients product_backward(const at::Tensor& grad_NO, const at::Tensor& x_NI,
                                  const at::Tensor& weight_OI, bool need_x, bool need_weight,
                                  bool need_bias) {
  const auto stored = weight_OI.scalar_type();
  const auto dtype = compute_dtype(weight_OI);
  const at::Tensor g_NO = grad_NO.to(dtype);
  ProductGradients made;
  if (need_x) made.x_NI = at::mm(g_NO, weight_OI.to(dtype)).to(stored);
  if (need_weight) made.weight_OI = at::mm(g_NO.t(), x_NI.to(dtype)).to(stored);
  if (need_bias) made.bias_O = g_NO.sum(0).to(stored);
  return made;
}

class Linear final : public Function<Linear> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& x_NI, const Variable& weight_OI,
                          const std::optional<Variable>& bias_O) {
    ctx->save_for_backward({x_NI, weight_OI});
    ctx->saved_data["bias"] = bias_O.has_value();
    return product(x_NI, weight_OI, bias_O.value_or(at::Tensor()));
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const auto made = product_backward(
        grads[0], saved[0], saved[1], ctx->needs_input_grad(0), ctx->needs_input_grad(1),
        ctx->saved_data["bias"].toBool() && ctx->needs_input_grad(2));
    return {made.x_NI, made.weight_OI, made.bias_O};
  }
};

class GatedLinear final : public Function<GatedLinear> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& gate_NF, const Variable& up_NF,
                          const Variable& weight_DF, const std::optional<Variable>& bias_D) {
    ctx->save_for_backward({gate_NF, up_NF, weight_DF});
    ctx->saved_data["bias"] = bias_D.has_value();
    return product(at::silu(gate_NF).mul_(up_NF), weight_DF, bias_D.value_or(at::Tensor()));
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &gate_NF = saved[0], &up_NF = saved[1], &weight_DF = saved[2];
    const bool need_gate = ctx->needs_input_grad(0), need_up = ctx->needs_input_grad(1);
    const at::Tensor silu_NF = at::silu(gate_NF);
    auto made = product_backward(grads[0], ctx->needs_input_grad(2) ? silu_NF * up_NF : silu_NF,
                                 weight_DF, need_gate || need_up, ctx->needs_input_grad(2),
                                 ctx->saved_data["bias"].toBool() && ctx->needs_input_grad(3));
    at::Tensor grad_up_NF, grad_gate_NF;
    if (need_up) grad_up_NF = silu_NF.mul_(made.x_NI);
    if (need_gate) grad_gate_NF = at::silu_backward(made.x_NI.mul_(up_NF), gate_NF);
    return {grad_gate_NF, grad_up_NF, made.weight_OI, made.bias_O};
  }
};

class RmsNorm final : public Function<RmsNorm> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& x_ND, const Variable& weight_D,
                          double eps) {
    auto [y_ND, inverse_N] = rms_norm_forward(x_ND, weight_D, eps);
    ctx->save_for_backward({x_ND, weight_D, inverse_N});
    return y_ND;
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    auto [grad_x_ND, grad_weight_D] =
        rms_norm_backward(grads[0].contiguous(), saved[0], saved[1], saved[2]);
    return {grad_x_ND, grad_weight_D, Variable()};
  }
};

}  // namespace

at::ScalarType compute_dtype(const at::Tensor& tensor) {
  const auto dtype = tensor.scalar_type();
  const bool half = dtype == at::kBFloat16 || dtype == at::kHalf;
  return half && tensor.is_cpu() && !cpu_multiplies_bf16() ? at::kFloat : dtype;
}

at::Tensor linear(const at::Tensor& x_NI, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  return Linear::apply(x_NI, weight_OI, if_defined(bias_O));
}

at::Tensor rms_norm(const at::Tensor& x_ND, const at::Tensor& weight_D, double eps) {
  if (has_rms_norm_loops(x_ND, weight_D)) return RmsNorm::apply(x_ND.contiguous(), weight_D, eps);
  const at::Tensor wide_ND = x_ND.scalar_type() == at::kDouble ? x_ND : x_ND.to(at::kFloat);
  return (wide_ND * (wide_ND.square().mean(-1, true) + eps).rsqrt()).to(x_ND.scalar_type()) *
         weight_D;
}

at::Tensor gated_linear(const at::Tensor& gate_NF, const at::Tensor& up_NF,
                        const at::Tensor& weight_DF, const at::Tensor& bias_D) {
  return GatedLinear::apply(gate_NF, up_NF, weight_DF, if_defined(bias_D));
}

at::Tensor embedding(const at::Tensor& ids_N, const at::Tensor& weight_VD) {
  if (ids_N.is_cpu() && ids_N.numel()) {
    const auto [low, high] = at::aminmax(ids_N);
    if (low.item<int64_t>() < 0 || high.item<int64_t>() >= weight_VD.size(0)) {
      const int64_t found = low.item<int64_t>() < 0 ? low.item<int64_t>() : high.item<int64_t>();
      throw Error("token id " + std::to_string(found) + " is outside the model's vocabulary of " +
                  std::to_string(weight_VD.size(0)) +
                  "; use the tokenizer that belongs to the model");
    }
  }
  return at::embedding(weight_VD, ids_N);
}

}  // namespace attune::nn
