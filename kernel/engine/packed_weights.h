// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel/engine/loaded_model.h"

/// A model whose linear layers keep their weights in 4 bits. A packed parameter's tensor has its shape and dtype, and no
/// contents.
namespace attune {

/// Whether 4 bits may take its place: the weight of a linear layer inside a block, router aside.
bool is_packable(const Parameter& parameter);

/// Packs `weight`, which has the parameter's shape, in its place. `dtype`: what it is computed with in.
void pack_weight(const Parameter& parameter, const at::Tensor& weight, bool double_quant, at::ScalarType dtype);

/// O x I, unpacked where it is packed, however it is stored.
at::Tensor weight_OI(const Parameter& parameter);

/// Every packed parameter in its own dtype again.
void unpack_weights(LoadedModel& loaded);

}  // namespace attune
