// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "attune/model.h"
#include "nn/half_products.h"

/// What the operators on a head share: logits a tile at a time, and the way back from their gradients.
namespace attune::nn {

/// What stands between hidden . weight and a logit.
struct Shaping {
  double scale = 1, softcap = 0, temperature = 1;
};

/// Units [u, u + rows) by vocabulary entries [v, v + entries).
struct Tile {
  int64_t u, rows, v, entries;
};

/// Rows of the head's weight, as the products take them.
struct Stretch {
  at::Tensor rows;                ///< in the dtype of Tiles::hidden_UD(); undefined under half products
  HalfColumns transposed, plain;  ///< under half products; `plain` on the way back alone
};

/// The products that both passes need, a tile at a time. Vocabulary outside, units inside, so that
/// each stretch of the weight is converted, and its gradient written, once. bf16 by bf16 stays so on devices, and where the
/// CPU has products for it; logits are fp32 all the same.
class Tiles {
 public:
  Tiles(const at::Tensor& hidden_UD, const at::Tensor& weight_VD, const at::Tensor& bias_V,
        const Shaping& shaping, int64_t chunk)
      : half_(hidden_UD.is_cpu() && hidden_UD.scalar_type() == at::kBFloat16 && weight_VD.scalar_type() == at::kBFloat16 && has_half_products()),
        mixed_(hidden_UD.is_cuda() && hidden_UD.scalar_type() == at::kBFloat16 && weight_VD.scalar_type() == at::kBFloat16),
        hidden_UD_(half_ || mixed_ ? hidden_UD.contiguous() : hidden_UD.to(wide(hidden_UD)).contiguous()),
        weight_VD_(weight_VD),
        bias_V_(bias_V),
        shaping_(shaping) {
    const int64_t kTileElements = int64_t{hidden_UD.is_cpu() ? 4 : 32} << 20, kRows = hidden_UD.is_cpu() ? 1024 : 4096, kEntries = 256;
    const int64_t units = hidden_UD.size(0), vocabulary = weight_VD.size(0);
    rows_ = std::clamp<int64_t>(chunk > 0 ? chunk : kRows, 1, std::max<int64_t>(units, 1));
    entries_ =
        std::clamp<int64_t>(kTileElements / rows_, std::min(kEntries, vocabulary), vocabulary);
    room_ = at::empty({rows_ * entries_}, hidden_UD_.options().dtype(wide(hidden_UD)));
  }

  static at::ScalarType wide(const at::Tensor& tensor) {
    return tensor.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  }
  /// In the wide dtype, or bf16 under half and mixed products.
  const at::Tensor& hidden_UD() const { return hidden_UD_; }
  bool half() const { return half_; }  ///< bf16 on the CPU
  bool mixed() const { return mixed_; }  ///< bf16 with fp32 results, on a device
  int64_t rows() const { return rows_; }

  /// `per_tile(tile, z, stretch, slope)`: logits of the tile, the weight's rows, and dlogit / d(hidden . weight)
  /// where it is not the constant `slope()`, else undefined. `backward` where these two are wanted.
  /// `per_stretch(v, entries)` after all units of a stretch.
  template <typename PerTile, typename PerStretch>
  void visit(bool backward, PerTile&& per_tile, PerStretch&& per_stretch) {
    const int64_t units = hidden_UD_.size(0), vocabulary = weight_VD_.size(0);
    for (int64_t v = 0; v < vocabulary; v += entries_) {
      const int64_t entries = std::min(entries_, vocabulary - v);
      const Stretch weight = stretch(v, entries, backward);
      for (int64_t u = 0; u < units; u += rows_) {
        const Tile tile{u, std::min(rows_, units - u), v, entries};
        at::Tensor z = product(tile, weight);
        const at::Tensor slope = shape(z, tile, backward);
        per_tile(tile, z, weight, slope);
      }
      per_stretch(v, entries);
    }
  }

  /// The logits of one tile; valid until the next.
  at::Tensor logits(const Tile& tile) {
    at::Tensor z = product(tile, stretch(tile.v, tile.entries, false));
    shape(z, tile, false);
    return z;
  }

  /// dlogit / d(hidden . weight) without a soft-cap.
  double slope() const { return shaping_.scale / shaping_.temperature; }

 private:
  Stretch stretch(int64_t v, int64_t entries, bool backward) const {
    const at::Tensor rows = weight_VD_.slice(0, v, v + entries);
    if (!half_) return {rows.to(hidden_UD_.scalar_type()), {}, {}};
    return {{}, HalfColumns::of_transposed(rows), backward ? HalfColumns::of(rows) : HalfColumns()};
  }

  at::Tensor product(const Tile& tile, const Stretch& weight) {
    at::Tensor z = room_.narrow(0, 0, tile.rows * tile.entries).view({tile.rows, tile.entries});
    const at::Tensor hidden = hidden_UD_.slice(0, tile.u, tile.u + tile.rows);
    if (half_) multiply(HalfRows(hidden), weight.transposed, z, false);
    else if (mixed_) at::mm_out(z, hidden, weight.rows.t(), at::kFloat);
    else at::mm_out(z, hidden, weight.rows.t());
    return z;
  }

  at::Tensor shape(at::Tensor& z, const Tile& tile, bool want_slope) const {
    if (bias_V_.defined()) z.add_(bias_V_.slice(0, tile.v, tile.v + tile.entries));
    if (shaping_.softcap == 0) {
      if (slope() != 1) z.mul_(slope());
      return {};
    }
    z.mul_(shaping_.scale / shaping_.softcap).tanh_();
    const at::Tensor steep = want_slope ? (1 - z.square()).mul_(slope()) : at::Tensor();
    z.mul_(shaping_.softcap / shaping_.temperature);
    return steep;
  }

  bool half_, mixed_;
  at::Tensor hidden_UD_, weight_VD_, bias_V_, room_;
  Shaping shaping_;
  int64_t rows_, entries_;
};

/// Gradients of a head's inputs, gathered from dL/dlogit tile by tile, in the order that Tiles visits them.
class HeadGradients {
 public:
  HeadGradients(const Tiles& tiles, const at::Tensor& hidden_UD, const at::Tensor& weight_VD, const at::Tensor& bias_V,
                bool need_hidden, bool need_weight, bool need_bias)
      : tiles_(tiles), type_(hidden_UD.scalar_type()), bias_V_(bias_V) {
    const auto wide = hidden_UD.options().dtype(Tiles::wide(hidden_UD));
    if (need_hidden) hidden = at::zeros(hidden_UD.sizes(), wide);
    if (need_weight) weight = hidden_UD.size(0) ? at::empty_like(weight_VD) : at::zeros_like(weight_VD);
    if (need_bias) bias = at::zeros({weight_VD.size(0)}, wide);
    direct_ = weight_VD.scalar_type() == Tiles::wide(hidden_UD);
  }

  /// `z` holds dL/dlogit and is overwritten.
  void add(const Tile& tile, at::Tensor& z, const Stretch& stretch, const at::Tensor& slope) {
    if (slope.defined()) {
      z.mul_(slope);
    } else if (tiles_.slope() != 1) {
      z.mul_(tiles_.slope());
    }
    if (bias.defined()) bias.slice(0, tile.v, tile.v + tile.entries).add_(z.sum(0));
    const at::Tensor to = hidden.defined() ? hidden.slice(0, tile.u, tile.u + tile.rows) : at::Tensor();
    const at::Tensor rows = tiles_.hidden_UD().slice(0, tile.u, tile.u + tile.rows);
    if (tiles_.half()) return add_half(tile, z, stretch, to, rows);
    if (tiles_.mixed()) return add_mixed(tile, z, stretch, to, rows);
    if (to.defined()) to.addmm_(z, stretch.rows);
    if (!weight.defined()) return;
    if (tile.u == 0) {
      stretch_ = direct_ ? weight.slice(0, tile.v, tile.v + tile.entries) : at::empty_like(stretch.rows);
      at::mm_out(stretch_, z.t(), rows);
    } else {
      stretch_.addmm_(z.t(), rows);
    }
  }
  /// After all units of a stretch of the vocabulary.
  void end_stretch(int64_t v, int64_t entries) {
    if (weight.defined() && stretch_.defined() && !direct_) weight.slice(0, v, v + entries).copy_(stretch_);
  }
  /// In the types of the inputs.
  void finish() {
    if (hidden.defined()) hidden = hidden.to(type_);
    if (bias.defined()) bias = bias.to(bias_V_.scalar_type());
  }

  at::Tensor hidden, weight, bias;  ///< undefined where not needed

 private:
  /// The weight's gradient as hidden^T . z, so that z is never transposed; its own transpose is taken once a stretch.
  void add_half(const Tile& tile, const at::Tensor& z, const Stretch& stretch, const at::Tensor& to, const at::Tensor& rows) {
    if (to.defined()) multiply(HalfRows(z), stretch.plain, to, true);
    if (!weight.defined()) return;
    const auto index = size_t(tile.u / tiles_.rows());
    if (index == hidden_DU_.size()) hidden_DU_.emplace_back(rows.t());
    if (tile.u == 0) stretch_ = at::empty({rows.size(1), tile.entries}, z.options()).t();
    multiply(hidden_DU_[index], HalfColumns::of(z), stretch_.t(), tile.u > 0);
  }

  void add_mixed(const Tile& tile, const at::Tensor& z, const Stretch& stretch, const at::Tensor& to, const at::Tensor& rows) {
    const at::Tensor half = z.to(at::kBFloat16);
    if (to.defined()) to.add_(at::mm(half, stretch.rows, at::kFloat));
    if (!weight.defined()) return;
    const at::Tensor part = at::mm(half.t(), rows, at::kFloat);
    stretch_ = tile.u == 0 ? part : stretch_.add_(part);
  }

  const Tiles& tiles_;
  at::ScalarType type_;
  at::Tensor bias_V_, stretch_;
  std::vector<HalfRows> hidden_DU_;  ///< transposed, a tile of units each
  bool direct_;
};

}  // namespace attune::nn
