// SPDX-License-Identifier: Apache-2.0
#include "nn/blocks.h"

#include <ATen/ATen.h>

#include <tuple>
#include <utility>

#include "nn/nf4.h"

namespace attune::nn {

Projection::Projection(std::string name, int64_t out, int64_t in, bool bias, bool transposed)
    : name_(std::move(name)), transposed_(transposed) {
  if (name_.empty()) return;
  weight_ = transposed ? at::empty({in, out}, at::kFloat) : at::empty({out, in}, at::kFloat);
  if (bias) bias_O_ = at::empty({out}, at::kFloat);
  adapter_ = std::make_shared<Adapter>();
  packed_ = std::make_shared<PackedWeight>();
}

at::Tensor Projection::weight_OI() const {
  if (packed()) return unpack_nf4(*packed_, weight_.scalar_type());
  return transposed_ ? weight_.t() : weight_;
}

at::Tensor adapted_weight(const at::Tensor& weight_OI, const Adapter& by) {
  const at::Tensor sum_OI = weight_OI.to(by.a_RI.scalar_type()) + by.scale * at::mm(by.b_OR, by.a_RI);
  if (!by.magnitude_O.defined()) return sum_OI;
  return sum_OI * (by.magnitude_O / at::linalg_vector_norm(sum_OI.detach(), 2, at::IntArrayRef{1})).unsqueeze(1);
}

at::Tensor Projection::adapted(const Multiply& multiply) const {
  return adapted(multiply, [&](const at::Tensor& bias_O) { return multiply(weight_OI(), bias_O); });
}

at::Tensor Projection::adapted(const Multiply& multiply, const std::function<at::Tensor(const at::Tensor&)>& base) const {
  const Adapter& by = *adapter_;
  if (!by.there()) return base(bias_O_);
  const auto dtype = weight_.scalar_type();
  const at::Tensor low_NO = by.scale * attune::nn::linear(multiply(by.a_RI.to(dtype), {}), by.b_OR.to(dtype), at::Tensor());
  if (!by.magnitude_O.defined()) return base(bias_O_) + low_NO;
  at::Tensor norm_O;
  {
    const at::NoGradGuard no_grad;
    norm_O = at::linalg_vector_norm(weight_OI().to(at::kFloat) + by.scale * at::mm(by.b_OR, by.a_RI), 2, at::IntArrayRef{1});
  }
  const at::Tensor y_NO = (base({}) + low_NO) * (by.magnitude_O / norm_O).to(dtype);
  return bias_O_.defined() ? y_NO + bias_O_ : y_NO;
}

at::Tensor Projection::operator()(const at::Tensor& x_NI) const {
  const auto multiply = [&](const at::Tensor& weight_OI, const at::Tensor& bias_O) { return linear(x_NI, weight_OI, bias_O); };
  if (!packed()) return adapted(multiply);
  return adapted(multiply, [&](const at::Tensor& bias_O) { return packed_linear(x_NI, *packed_, bias_O); });
}

void Projection::collect(std::vector<Parameter>& all) const {
  if (there()) {
    Parameter& weight = all.emplace_back(Parameter{name_ + ".weight", weight_, true});
    weight.adapter = adapter_;
    weight.transposed = transposed_;
    weight.packed = packed_;
  }
  if (bias_O_.defined()) all.push_back({name_ + ".bias", bias_O_, false});
}

Norm::Norm(std::string name, NormKind kind, int64_t width, double eps)
    : name_(std::move(name)), kind_(name_.empty() ? NormKind::kNone : kind), eps_(eps) {
  if (!there() || kind_ == NormKind::kBareLayer) return;
  weight_D_ = at::empty({width}, at::kFloat);
  if (kind_ == NormKind::kLayer) bias_D_ = at::empty({width}, at::kFloat);
}

at::Tensor Norm::operator()(const at::Tensor& x_ND) const {
  switch (kind_) {
    case NormKind::kNone:
      return x_ND;
    case NormKind::kRms:
      return rms_norm(x_ND, weight_D_, eps_);
    case NormKind::kRmsAroundOne:
      return rms_norm(x_ND, weight_D_, eps_, 1);
    default:
      return layer_norm(x_ND, weight_D_, bias_D_, eps_);
  }
}

void Norm::collect(std::vector<Parameter>& all) const {
  if (weight_D_.defined()) all.push_back({name_ + ".weight", weight_D_, false, kind_ == NormKind::kRmsAroundOne ? 0.0f : 1.0f});
  if (bias_D_.defined()) all.push_back({name_ + ".bias", bias_D_, false});
}

at::Tensor FeedForward::operator()(const at::Tensor& x_ND) const {
  std::vector<at::Tensor> halves;
  if (gate_up.there()) halves = gate_up(x_ND).chunk(2, 1);
  else if (gate.there()) halves = {gate(x_ND), up(x_ND)};
  else halves = {up(x_ND), at::Tensor()};
  if (down.packed()) {
    const at::Tensor inner_NF = activate(halves[0], activation);
    return down(halves[1].defined() ? inner_NF * halves[1] : inner_NF);
  }
  return down.adapted([&](const at::Tensor& weight_OI, const at::Tensor& bias_O) {
    return gated_linear(halves[0], halves[1], weight_OI, bias_O, activation);
  });
}

void FeedForward::collect(std::vector<Parameter>& all) const {
  for (const Projection* projection : {&gate, &up, &gate_up, &down}) projection->collect(all);
}

at::Tensor Experts::operator()(const at::Tensor& x_ND) const {
  const auto wide = x_ND.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  auto [share_NK, chosen_NK] = at::topk(at::softmax(router(x_ND), -1, wide), active);
  if (normalised) share_NK = share_NK / share_NK.sum(-1, true);
  const at::Tensor share = share_NK.to(x_ND.scalar_type()).flatten(), chosen = chosen_NK.flatten();

  std::vector<at::Tensor> rows, made;
  for (size_t e = 0; e < experts.size(); ++e) {
    const at::Tensor found = (chosen == static_cast<int64_t>(e)).nonzero().squeeze(1);
    // In training an expert that no row chose has a gradient of zero, not none.
    if (found.size(0) == 0 && !at::GradMode::is_enabled()) continue;
    rows.push_back(at::floor_divide(found, active));
    made.push_back(experts[e](x_ND.index_select(0, rows.back())) *
                   share.index_select(0, found).unsqueeze(1));
  }
  return at::zeros_like(x_ND).index_add(0, at::cat(rows), at::cat(made));
}

void Experts::collect(std::vector<Parameter>& all) const {
  router.collect(all);
  const size_t first = all.size();
  for (const FeedForward& expert : experts) expert.collect(all);
  for (size_t i = first; i < all.size(); ++i) all[i].sparse = true;
}

}  // namespace attune::nn
