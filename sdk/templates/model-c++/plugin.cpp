// SPDX-License-Identifier: Apache-2.0
// Each of the layers, on rows x:
//   x = x + o(attention(rotate(q(norm x)), rotate(k(norm x)), v(norm x)))
//   x = x + down(act(gate(norm x)) * up(norm x))
#include "attune/model.h"
#include "nn/model_config.h"

namespace {

using namespace attune;

nn::DecoderSpec read(const Value& json) {
  const nn::ModelConfig config(json, "@name@");
  config.refuse_all_but({});
  nn::DecoderSpec spec = config.decoder();
  spec.rotary = {config.rotary(spec)};
  return spec;
}

ATTUNE_MODEL(@name@, "@name@", nn::DecoderOf<read>);

}  // namespace

ATTUNE_PLUGIN(&@name@)
