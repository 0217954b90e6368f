// SPDX-License-Identifier: Apache-2.0
#include "nn/half_products.h"

#include <ATen/ATen.h>
#include <ATen/native/CPUBlas.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "nn/parallel.h"

namespace attune::nn {
namespace {

constexpr int64_t kColumns = 64, kRows = 128, kRowStep = 32;  // Of a product at a time; rows come in multiples of the step.
constexpr int64_t kDepth = 512, kDepthStep = 32;

int64_t rounded_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

bool multiplies() {
#if defined(__x86_64__) && defined(__GNUC__)
  if (!__builtin_cpu_supports("avx512bf16")) return false;
  try {  // LibTorch refuses where oneDNN is switched off or held to less.
    const at::BFloat16 one[64 * 32] = {};
    float made[32 * 64];
    at::native::cpublas::brgemm(32, 64, 32, 32, 64, 64, false, one, one, made);
    at::native::cpublas::brgemm_release();
    return true;
  } catch (const c10::Error&) {
    return false;
  }
#else
  return false;
#endif
}

uint16_t half(at::BFloat16 x) { return x.x; }
/// To the nearest, ties to even.
[[gnu::always_inline]] inline uint16_t half(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t nearest = (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
  return uint16_t(x == x ? nearest : 0x7FC0U);
}

/// Rows k and k + 1, `n` entries of each, side by side. `second` may be null: zeros.
template <typename T>
[[gnu::always_inline]] inline void interleave(const T* first, const T* second, int64_t n, uint16_t* out) {
  if (second) {
    for (int64_t i = 0; i < n; ++i) out[2 * i] = half(first[i]), out[2 * i + 1] = half(second[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) out[2 * i] = half(first[i]), out[2 * i + 1] = 0;
  }
}
ATTUNE_FOR_EACH_CPU void interleave_rows(const float* first, const float* second, int64_t n, uint16_t* out) { interleave(first, second, n, out); }
ATTUNE_FOR_EACH_CPU void interleave_rows(const at::BFloat16* first, const at::BFloat16* second, int64_t n, uint16_t* out) {
  interleave(first, second, n, out);
}

template <typename T>
void pack(const at::Tensor& b_KN, const HalfColumns& to) {
  const T* from = b_KN.const_data_ptr<T>();
  const int64_t stride = b_KN.stride(0), pairs = to.packed.size(1);
  auto* out = static_cast<uint16_t*>(to.packed.data_ptr());
  parallel(pairs, 8, [&](int64_t begin, int64_t end) {
    for (int64_t pair = begin; pair < end; ++pair) {
      for (int64_t n = 0; n < to.columns; n += kColumns) {
        uint16_t* here = out + (n * pairs + pair * kColumns) * 2;
        const T* row = from + 2 * pair * stride + n;
        const int64_t count = std::min(kColumns, to.columns - n);
        if (2 * pair < to.depth) interleave_rows(row, 2 * pair + 1 < to.depth ? row + stride : nullptr, count, here);
        if (2 * pair >= to.depth) std::memset(here, 0, kColumns * 4);
        else if (count < kColumns) std::memset(here + 2 * count, 0, size_t(kColumns - count) * 4);
      }
    }
  });
}

HalfColumns room(int64_t depth, int64_t columns, const at::Tensor& like) {
  HalfColumns made;
  made.depth = depth, made.columns = columns;
  made.packed = at::empty({rounded_up(columns, kColumns) / kColumns, rounded_up(depth, kDepthStep) / 2, kColumns, 2}, like.options().dtype(at::kBFloat16));
  return made;
}

}  // namespace

bool has_half_products() {
  static const bool has = multiplies();
  return has;
}

HalfRows::HalfRows(const at::Tensor& a_MK) : rows(a_MK.size(0)), width(a_MK.size(1)) {
  const int64_t padded_rows = rounded_up(rows, kRowStep), padded_width = rounded_up(width, kDepthStep);
  if (padded_rows == rows && padded_width == width) {
    padded = a_MK.to(at::kBFloat16).contiguous();
    return;
  }
  padded = at::empty({padded_rows, padded_width}, a_MK.options().dtype(at::kBFloat16));
  padded.narrow(0, 0, rows).narrow(1, 0, width).copy_(a_MK);
  padded.narrow(0, rows, padded_rows - rows).zero_();
  padded.narrow(1, width, padded_width - width).zero_();
}

HalfColumns HalfColumns::of(const at::Tensor& b_KN) {
  HalfColumns made = room(b_KN.size(0), b_KN.size(1), b_KN);
  if (b_KN.scalar_type() == at::kFloat) pack<float>(b_KN.stride(1) == 1 ? b_KN : b_KN.contiguous(), made);
  else pack<at::BFloat16>(b_KN.stride(1) == 1 ? b_KN : b_KN.contiguous(), made);
  return made;
}

HalfColumns HalfColumns::of_transposed(const at::Tensor& b_NK) {
  HalfColumns made = room(b_NK.size(1), b_NK.size(0), b_NK);
  const at::Tensor source = b_NK.contiguous();
  const auto* from = static_cast<const uint16_t*>(source.const_data_ptr());
  auto* out = static_cast<uint32_t*>(made.packed.data_ptr());
  const int64_t pairs = made.packed.size(1), depth = made.depth;
  constexpr int64_t kPairs = 16;  // A line of the cache of each of the 64 rows.
  parallel(made.packed.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t stretch = begin; stretch < end; ++stretch) {
      uint32_t* here = out + stretch * pairs * kColumns;
      const int64_t count = std::min(kColumns, made.columns - stretch * kColumns);
      if (count < kColumns || depth < 2 * pairs) std::memset(here, 0, size_t(pairs * kColumns) * 4);
      for (int64_t block = 0; block < depth / 2; block += kPairs) {
        for (int64_t n = 0; n < count; ++n) {
          const uint16_t* row = from + (stretch * kColumns + n) * depth;
          for (int64_t p = block; p < std::min(block + kPairs, depth / 2); ++p) std::memcpy(here + p * kColumns + n, row + 2 * p, 4);
        }
      }
      for (int64_t n = 0; n < count && depth % 2; ++n) here[depth / 2 * kColumns + n] = from[(stretch * kColumns + n) * depth + depth - 1];
    }
  });
  return made;
}

void multiply(const HalfRows& a, const HalfColumns& b, const at::Tensor& c_MN, bool add) {
  const int64_t stride_a = a.padded.size(1), stride_c = c_MN.stride(0), pairs = b.packed.size(1);
  const int64_t blocks = (a.rows + kRows - 1) / kRows;
  const auto* from_a = a.padded.const_data_ptr<at::BFloat16>();
  const auto* from_b = b.packed.const_data_ptr<at::BFloat16>();
  float* to = c_MN.data_ptr<float>();
  parallel(b.packed.size(0) * blocks, 1, [&](int64_t begin, int64_t end) {
    float edge[kRows * kColumns];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t n = task / blocks * kColumns, m = task % blocks * kRows;  // A stretch of b stays in the cache.
      const int64_t rows = std::min(kRows, a.padded.size(0) - m), rows_c = std::min(rows, a.rows - m), columns_c = std::min(kColumns, b.columns - n);
      const bool whole = rows_c == rows && columns_c == kColumns;
      float *c = to + m * stride_c + n, *c_here = whole ? c : edge;
      const int64_t stride_here = whole ? stride_c : kColumns;
      if (!whole && add) {
        std::memset(edge, 0, sizeof edge);
        for (int64_t r = 0; r < rows_c; ++r) std::memcpy(edge + r * kColumns, c + r * stride_c, size_t(columns_c) * 4);
      }
      for (int64_t k = 0; k < 2 * pairs; k += kDepth) {
        at::native::cpublas::brgemm(rows, kColumns, std::min(kDepth, 2 * pairs - k), stride_a, kColumns, stride_here, add || k > 0,
                                    from_a + m * stride_a + k, from_b + (n * pairs + k / 2 * kColumns) * 2, c_here);
      }
      for (int64_t r = 0; r < rows_c && !whole; ++r) std::memcpy(c + r * stride_c, edge + r * kColumns, size_t(columns_c) * 4);
    }
    at::native::cpublas::brgemm_release();
  });
}

}  // namespace attune::nn
