// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/packed_weights.h"

#include <ATen/ATen.h>

#include "kernel/engine/update_rule.h"
#include "nn/nf4.h"

namespace attune {

bool is_packable(const Parameter& parameter) { return parameter.packed && is_hidden_matrix(parameter); }

void pack_weight(const Parameter& parameter, const at::Tensor& weight, bool double_quant, at::ScalarType dtype) {
  *parameter.packed = nn::pack_nf4(parameter.transposed ? weight.t() : weight, double_quant);
  at::Tensor handle = parameter.tensor;
  handle.set_data(at::zeros({}, dtype).expand(weight.sizes()));
}

at::Tensor weight_OI(const Parameter& parameter) {
  if (parameter.packed && parameter.packed->there()) return nn::unpack_nf4(*parameter.packed, parameter.tensor.scalar_type());
  return parameter.transposed ? parameter.tensor.t() : parameter.tensor;
}

void unpack_weights(LoadedModel& loaded) {
  for (Parameter& parameter : loaded.parameters) {
    if (!parameter.packed || !parameter.packed->there()) continue;
    const at::Tensor weight = weight_OI(parameter);
    parameter.tensor.set_data(parameter.transposed ? weight.t().contiguous() : weight);
    *parameter.packed = PackedWeight();
  }
}

}  // namespace attune
