// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel/engine/adamw.h"

namespace attune {

/// Muon (Jordan et al., 2024): hidden matrices move along their momentum with its singular values near one; AdamW moves all
/// else, at `adamw_rate` times the learning rate. With W of O x I:
///   b = momentum b + (1 - momentum) g, u = nesterov ? momentum b + (1 - momentum) g : b, W -= s rate orthogonal(u)
/// after the decoupled decay; s = sqrt(max(1, O / I)) (scale = "original") or 0.2 sqrt(max(O, I)) (scale = "match_rms_adamw":
/// Liu et al., 2025, eq. 4).
class Muon final : public UpdateRule {
 public:
  Muon(const std::vector<Parameter>& parameters, const std::vector<at::Tensor>& masters, const Json& options);
  void apply(std::span<const Update> updates, double learning_rate, double divisor) override;
  NamedTensors state() const override;

 private:
  struct Slot {
    std::string name;
    bool decay;
    double rate;          ///< times the learning rate
    double scale;         ///< s
    at::Tensor momentum;  ///< undefined: AdamW's
  };
  void move(Slot& slot, const Update& update, double learning_rate, double divisor);

  std::vector<Slot> slots_;
  AdamW rest_;
  double momentum_, weight_decay_, adamw_rate_;
  bool nesterov_;
  at::ScalarType dtype_;
};

/// Five quintic Newton-Schulz steps towards the nearest matrix with orthonormal rows or columns: singular values between
/// about 0.7 and 1.2. Computed in `dtype`.
at::Tensor orthogonal(const at::Tensor& matrix, at::ScalarType dtype);

}  // namespace attune
