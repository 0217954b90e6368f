// SPDX-License-Identifier: Apache-2.0
#include "nn/recompute.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace attune::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::Variable;
using torch::autograd::variable_list;
using Block = std::function<at::Tensor(const at::Tensor&)>;

struct Held : torch::CustomClassHolder {
  explicit Held(Block block) : block(std::move(block)) {}
  Block block;
};

class Recomputed final : public Function<Recomputed> {
 public:
  /// `anchor` makes the result differentiable where x is not and the block's parameters are.
  static Variable forward(AutogradContext* ctx, const Variable& x, const Variable&,
                          const Block& block) {
    ctx->save_for_backward({x});
    ctx->saved_data["block"] = c10::IValue::make_capsule(c10::make_intrusive<Held>(block));
    return block(x);
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const at::Tensor saved = ctx->get_saved_variables()[0];
    const at::Tensor x = saved.detach().set_requires_grad(saved.requires_grad());
    const auto held =
        c10::static_intrusive_pointer_cast<Held>(ctx->saved_data["block"].toCapsule());
    at::Tensor y;
    {
      const at::AutoGradMode again(true);
      y = held->block(x);
    }
    if (y.requires_grad()) torch::autograd::backward({y}, {gradients[0]});
    return {x.grad(), Variable(), Variable()};
  }
};

}  // namespace

at::Tensor recomputed(const Block& block, const at::Tensor& x) {
  if (!at::GradMode::is_enabled()) return block(x);
  return Recomputed::apply(x, at::zeros({}, x.options().dtype(at::kFloat)).set_requires_grad(true),
                           block);
}

}  // namespace attune::nn
