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

at::Tensor activate_backward(const at::Tensor& grad, const at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return at::silu_backward(grad, x);
    case Activation::kGeluTanh:
      return at::gelu_backward(grad, x, "tanh");
    case Activation::kGelu:
      return at::gelu_backward(grad, x);
    case Activation::kRelu:
      return at::threshold_backward(grad, x, 0);
  }
  throw Error("unknown activation", ATTUNE_E_INTERNAL);
}

class GatedLinear final : public Function<GatedLinear> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& gate_NF,
                          const std::optional<Variable>& up, const Variable& weight_DF,
                          const std::optional<Variable>& bias_D, Activation activation) {
    const at::Tensor up_NF = up.value_or(at::Tensor());
    ctx->save_for_backward({gate_NF, up_NF, weight_DF});
    ctx->saved_data["bias"] = bias_D.has_value();
    ctx->saved_data["activation"] = static_cast<int64_t>(activation);
    at::Tensor inner_NF = activate(gate_NF, activation);
    if (up_NF.defined()) inner_NF.mul_(up_NF);
    return product(inner_NF, weight_DF, bias_D.value_or(at::Tensor()));
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &gate_NF = saved[0], &up_NF = saved[1], &weight_DF = saved[2];
    const auto activation = static_cast<Activation>(ctx->saved_data["activation"].toInt());
    const bool gated = up_NF.defined(), need_weight = ctx->needs_input_grad(gated ? 2 : 1);
    const bool need_gate = ctx->needs_input_grad(0), need_up = gated && ctx->needs_input_grad(1);
    const bool need_bias = ctx->saved_data["bias"].toBool() && ctx->needs_input_grad(gated ? 3 : 2);
    const at::Tensor active_NF = activate(gate_NF, activation);
    auto made = product_backward(grads[0], need_weight && gated ? active_NF * up_NF : active_NF,
                                 weight_DF, need_gate || need_up, need_weight, need_bias);
    at::Tensor grad_up_NF, grad_gate_NF;
    if (need_up) grad_up_NF = active_NF.mul_(made.x_NI);
    if (need_gate) {
      if (gated) made.x_NI.mul_(up_NF);
      grad_gate_NF = activate_backward(made.x_NI, gate_NF, activation);
    }
    return {grad_gate_NF, grad_up_NF, made.weight_OI, made.bias_O, Variable()};
  }
};

class RmsNorm final : public Function<RmsNorm> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& x_ND, const Variable& weight_D,
                          double eps, double offset) {
    auto [y_ND, inverse_N] = rms_norm_forward(x_ND, weight_D, eps, offset);
    ctx->save_for_backward({x_ND, weight_D, inverse_N});
    ctx->saved_data["offset"] = offset;
    return y_ND;
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    auto [grad_x_ND, grad_weight_D] = rms_norm_backward(
        grads[0].contiguous(), saved[0], saved[1], saved[2], ctx->saved_data["offset"].toDouble());
    return {grad_x_ND, grad_weight_D, Variable(), Variable()};
  }
};

}  // namespace

at::Tensor activate(const at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return at::silu(x);
    case Activation::kGeluTanh:
      return at::gelu(x, "tanh");
    case Activation::kGelu:
      return at::gelu(x);
    case Activation::kRelu:
      return at::relu(x);
  }
  throw Error("unknown activation", ATTUNE_E_INTERNAL);
}

at::ScalarType compute_dtype(const at::Tensor& tensor) {
  const auto dtype = tensor.scalar_type();
  const bool half = dtype == at::kBFloat16 || dtype == at::kHalf;
  return half && tensor.is_cpu() && !cpu_multiplies_bf16() ? at::kFloat : dtype;
}

at::Tensor linear(const at::Tensor& x_NI, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  return Linear::apply(x_NI, weight_OI, if_defined(bias_O));
}

at::Tensor rms_norm(const at::Tensor& x_ND, const at::Tensor& weight_D, double eps, double offset) {
  if (has_rms_norm_loops(x_ND, weight_D))
    return RmsNorm::apply(x_ND.contiguous(), weight_D, eps, offset);
  const auto dtype = x_ND.scalar_type();
  if (x_ND.is_cuda() && weight_D.scalar_type() == dtype && offset == 0)
    return std::get<0>(at::_fused_rms_norm(x_ND, {x_ND.size(-1)}, weight_D, eps));
  const at::Tensor wide_ND = dtype == at::kDouble ? x_ND : x_ND.to(at::kFloat);
  const at::Tensor normed_ND = wide_ND * (wide_ND.square().mean(-1, true) + eps).rsqrt();
  if (offset == 0) return normed_ND.to(dtype) * weight_D;
  return (normed_ND * (weight_D.to(normed_ND.scalar_type()) + offset)).to(dtype);
}

at::Tensor layer_norm(const at::Tensor& x_ND, const at::Tensor& weight_D, const at::Tensor& bias_D,
                      double eps) {
  return at::layer_norm(x_ND, {x_ND.size(-1)}, if_defined(weight_D), if_defined(bias_D), eps);
}

at::Tensor gated_linear(const at::Tensor& gate_NF, const at::Tensor& up_NF,
                        const at::Tensor& weight_DF, const at::Tensor& bias_D,
                        Activation activation) {
  return GatedLinear::apply(gate_NF, if_defined(up_NF), weight_DF, if_defined(bias_D), activation);
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
