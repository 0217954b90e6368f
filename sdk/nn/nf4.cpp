// SPDX-License-Identifier: Apache-2.0
#include "nn/nf4.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "nn/dynamic_code.h"
#include "nn/layers.h"
#include "nn/parallel.h"

namespace attune::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::Variable;
using torch::autograd::variable_list;

constexpr int64_t kBlock = 64, kScales = 256, kGrain = 256;

/// Appendix E of the paper.
constexpr std::array<float, 16> kValues = {-1.0F,
                                           -0.6961928009986877F,
                                           -0.5250730514526367F,
                                           -0.39491748809814453F,
                                           -0.28444138169288635F,
                                           -0.18477343022823334F,
                                           -0.09105003625154495F,
                                           0.0F,
                                           0.07958029955625534F,
                                           0.16093020141124725F,
                                           0.24611230194568634F,
                                           0.33791524171829224F,
                                           0.44070982933044434F,
                                           0.5626170039176941F,
                                           0.7229568362236023F,
                                           1.0F};

/// The two values of a byte.
struct Pair {
  float first, second;
};
const std::array<Pair, 256>& pairs() {
  static const auto all = [] {
    std::array<Pair, 256> made{};
    for (size_t byte = 0; byte < 256; ++byte) made[byte] = {kValues[byte >> 4], kValues[byte & 15]};
    return made;
  }();
  return all;
}

int64_t parts(int64_t n, int64_t size) { return (n + size - 1) / size; }

/// The number of middles between values that lie below x.
ATTUNE_FOR_EACH_CPU void nearest_loop(const float* x, float factor, uint8_t* codes, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float scaled = x[i] * factor;
    int32_t code = 0;
    for (size_t v = 0; v + 1 < kValues.size(); ++v) code += scaled > (kValues[v] + kValues[v + 1]) / 2;
    codes[i] = uint8_t(code);
  }
}

void pack_block(const float* x, int64_t n, uint8_t* bytes, float& scale) {
  uint8_t codes[kBlock];
  scale = largest_size(x, n);
  nearest_loop(x, 1 / std::max(scale, 1e-38F), codes, n);
  if (n % 2) codes[n] = 7;
  for (int64_t i = 0; i < n; i += 2) bytes[i / 2] = uint8_t(codes[i] << 4 | codes[i + 1]);
}

void pack_scales(PackedWeight& made) {
  const at::Tensor wide = made.scales;
  const int64_t n = wide.numel();
  made.offset = float(wide.mean(at::kDouble).item<double>());
  made.scales = at::empty({n}, at::kByte);
  made.scale_sizes = at::empty({parts(n, kScales)}, at::kFloat);
  const at::Tensor centred = wide - made.offset;
  const auto* from = centred.const_data_ptr<float>();
  auto* codes = made.scales.data_ptr<uint8_t>();
  for (int64_t first = 0; first < n; first += kScales) {
    const int64_t size = std::min(kScales, n - first);
    const float largest = largest_size(from + first, size);
    made.scale_sizes.data_ptr<float>()[first / kScales] = largest;
    for (int64_t i = first; i < first + size; ++i) codes[i] = DynamicCode::with_sign().nearest(largest > 0 ? from[i] / largest : 0);
  }
}

at::Tensor wide_scales(const PackedWeight& packed) {
  if (!packed.scale_sizes.defined()) return packed.scales;
  at::Tensor made = at::empty({packed.scales.numel()}, at::kFloat);
  const auto* codes = packed.scales.const_data_ptr<uint8_t>();
  const auto* sizes = packed.scale_sizes.const_data_ptr<float>();
  auto* to = made.data_ptr<float>();
  for (int64_t i = 0; i < made.numel(); ++i) to[i] = DynamicCode::with_sign().value(codes[i]) * sizes[i / kScales] + packed.offset;
  return made;
}

struct Held : torch::CustomClassHolder {
  explicit Held(PackedWeight weight) : weight(std::move(weight)) {}
  PackedWeight weight;
};

class PackedLinear final : public Function<PackedLinear> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& x_NI, const PackedWeight& packed, const std::optional<Variable>& bias_O) {
    ctx->saved_data["bias"] = bias_O.has_value();
    ctx->saved_data["weight"] = c10::IValue::make_capsule(c10::make_intrusive<Held>(packed));
    return linear(x_NI, unpack_nf4(packed, x_NI.scalar_type()), bias_O.value_or(at::Tensor()));
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto held = c10::static_intrusive_pointer_cast<Held>(ctx->saved_data["weight"].toCapsule());
    const auto stored = grads[0].scalar_type();
    at::Tensor grad_x_NI, grad_bias_O;
    if (ctx->needs_input_grad(0)) {
      const at::Tensor weight_OI = unpack_nf4(held->weight, stored);
      const auto dtype = compute_dtype(weight_OI);
      grad_x_NI = at::mm(grads[0].to(dtype), weight_OI.to(dtype)).to(stored);
    }
    if (ctx->saved_data["bias"].toBool() && ctx->needs_input_grad(1)) grad_bias_O = grads[0].to(compute_dtype(grads[0])).sum(0).to(stored);
    return {grad_x_NI, Variable(), grad_bias_O};
  }
};

}  // namespace

PackedWeight pack_nf4(const at::Tensor& weight_OI, bool double_quant) {
  const at::Tensor flat = weight_OI.detach().to(at::kFloat).contiguous().view(-1);
  const int64_t n = flat.numel(), blocks = parts(n, kBlock);
  PackedWeight made;
  made.out = weight_OI.size(0), made.in = weight_OI.size(1);
  made.codes = at::empty({parts(n, 2)}, at::kByte);
  made.scales = at::empty({blocks}, at::kFloat);
  const auto* x = flat.const_data_ptr<float>();
  auto* codes = made.codes.data_ptr<uint8_t>();
  auto* scales = made.scales.data_ptr<float>();
  parallel(blocks, kGrain, [&](int64_t first, int64_t end) {
    for (int64_t block = first; block < end; ++block) {
      const int64_t at = block * kBlock;
      pack_block(x + at, std::min(kBlock, n - at), codes + at / 2, scales[block]);
    }
  });
  if (double_quant) pack_scales(made);
  return made;
}

at::Tensor unpack_nf4(const PackedWeight& packed, at::ScalarType dtype) {
  const at::Tensor scales = wide_scales(packed), made = at::empty({packed.out, packed.in}, at::kFloat);
  const int64_t n = made.numel();
  const auto* codes = packed.codes.const_data_ptr<uint8_t>();
  const auto* scale = scales.const_data_ptr<float>();
  auto* to = made.data_ptr<float>();
  parallel(scales.numel(), kGrain, [&](int64_t first, int64_t end) {
    for (int64_t block = first; block < end; ++block) {
      const int64_t at = block * kBlock, size = std::min(kBlock, n - at);
      for (int64_t i = 0; i < size; i += 2) {
        const Pair pair = pairs()[codes[(at + i) / 2]];
        to[at + i] = pair.first * scale[block];
        if (i + 1 < size) to[at + i + 1] = pair.second * scale[block];
      }
    }
  });
  return made.to(dtype);
}

at::Tensor packed_linear(const at::Tensor& x_NI, const PackedWeight& packed, const at::Tensor& bias_O) {
  return PackedLinear::apply(x_NI, packed, bias_O.defined() ? std::optional(bias_O) : std::nullopt);
}

int64_t nf4_bytes(int64_t weights, bool double_quant) {
  const int64_t blocks = parts(weights, kBlock);
  return parts(weights, 2) + (double_quant ? blocks + 4 * parts(blocks, kScales) : 4 * blocks);
}

}  // namespace attune::nn
