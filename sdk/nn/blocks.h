// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "attune/model.h"
#include "nn/layers.h"

/// Parts of a decoder that hold parameters. Each knows its name in the checkpoint; one without a
/// name is not there. Parameters are allocated, uninitialised, fp32.
namespace attune::nn {

/// Legend: N rows, I in, O out, D width, E experts.

/// The weight that a layer with an adapter multiplies with, fp32: O x I.
at::Tensor adapted_weight(const at::Tensor& weight_OI, const Adapter& by);

/// x W^T + b.
class Projection {
 public:
  Projection() = default;
  /// `transposed`: the checkpoint stores the weight as I x O.
  Projection(std::string name, int64_t out, int64_t in, bool bias, bool transposed);

  bool there() const { return weight_.defined(); }
  at::Tensor operator()(const at::Tensor& x_NI) const;
  /// `multiply(W, b)` is some x W^T + b; with an adapter it is called for that as well. REQUIRES: not packed.
  at::Tensor adapted(const std::function<at::Tensor(const at::Tensor& weight_OI, const at::Tensor& bias_O)>& multiply) const;
  /// Whether the weight is kept in 4 bits.
  bool packed() const { return packed_ && packed_->there(); }
  /// Leaves the layer out where adapters are asked for without naming layers.
  Projection& unusual() { return adapter_->usual = false, *this; }
  /// O x I, whatever way it is stored, without an adapter.
  at::Tensor weight_OI() const;
  const at::Tensor& bias_O() const { return bias_O_; }
  int64_t size() const { return there() ? weight_.numel() : 0; }
  void collect(std::vector<Parameter>& all) const;

 private:
  using Multiply = std::function<at::Tensor(const at::Tensor& weight_OI, const at::Tensor& bias_O)>;
  /// `base(b)` is x W^T + b with the layer's own weight.
  at::Tensor adapted(const Multiply& multiply, const std::function<at::Tensor(const at::Tensor& bias_O)>& base) const;

  std::string name_;
  at::Tensor weight_, bias_O_;
  bool transposed_ = false;
  std::shared_ptr<Adapter> adapter_;
  std::shared_ptr<PackedWeight> packed_;
};

enum class NormKind {
  kNone,
  kRms,           ///< x / rms(x) * weight
  kRmsAroundOne,  ///< x / rms(x) * (1 + weight)
  kLayer,         ///< with mean, weight and bias
  kBareLayer,     ///< with mean, without parameters
};

/// Normalises rows; leaves them as they are where it has no name.
class Norm {
 public:
  Norm() = default;
  Norm(std::string name, NormKind kind, int64_t width, double eps);

  bool there() const { return kind_ != NormKind::kNone; }
  at::Tensor operator()(const at::Tensor& x_ND) const;
  void collect(std::vector<Parameter>& all) const;

 private:
  std::string name_;
  NormKind kind_ = NormKind::kNone;
  double eps_ = 0;
  at::Tensor weight_D_, bias_D_;
};

/// down(activation(gate x) * up x), or down(activation(up x)) where there is no gate. `gate_up` is
/// both in one, the gate first.
struct FeedForward {
  Projection gate, up, gate_up, down;
  Activation activation = Activation::kSilu;

  at::Tensor operator()(const at::Tensor& x_ND) const;
  int64_t size() const { return gate.size() + up.size() + gate_up.size() + down.size(); }
  void collect(std::vector<Parameter>& all) const;
};

/// A mixture of experts (Shazeer et al., 2017): each row goes through the `active` experts to which
/// the router gives most, weighted by softmax(router x). `normalised`: their weights sum to one.
struct Experts {
  Projection router;
  std::vector<FeedForward> experts;
  int64_t active = 0;
  bool normalised = false;

  at::Tensor operator()(const at::Tensor& x_ND) const;
  void collect(std::vector<Parameter>& all) const;
};

}  // namespace attune::nn
