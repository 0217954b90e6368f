// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel/engine/adamw.h"

namespace attune {

/// AdamW with states of 8 bits (Dettmers et al., 2022): m and the root of v are kept in blocks of 256, each a scale and
/// dynamic codes. Parameters below 4096 elements keep fp32 states. On CPUs only; every CPU gives the same bits.
///
/// Rationale: the root of v spans the same range as m. A v that rounds to zero beside an m that does not would make the
/// step m / eps, so a root above zero never rounds to zero.
class AdamWInt8 final : public UpdateRule {
 public:
  static constexpr int64_t kBlock = 256, kSmallest = 4096;

  AdamWInt8(const std::vector<Parameter>& parameters, const std::vector<at::Tensor>& masters, const Json& options);
  void apply(std::span<const Update> updates, double learning_rate, double divisor) override;
  NamedTensors state() const override;

 private:
  struct Slot {
    std::string name;
    bool decay;
    float rate;
    at::Tensor m, root;              ///< uint8; undefined: a small parameter
    at::Tensor m_scale, root_scale;  ///< fp32, one a block
    at::Tensor steps;
  };
  void move(Slot& slot, const Update& update, double learning_rate, double divisor);

  std::vector<Slot> slots_;
  AdamW small_;
  double beta1_, beta2_, eps_, weight_decay_;
};

}  // namespace attune
