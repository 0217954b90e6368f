// SPDX-License-Identifier: Apache-2.0
// Block layouts of ggml. `d` is a block's scale and `m` its offset, both F16; a value is q * d, or
// q * d + m. The K types divide 256 values into groups, with 4 or 6 bit scales and offsets of their
// own.
#include "quantization.h"

#include <bit>
#include <cstring>

#include "attune/abi.h"

namespace attune {
namespace {

float half_at(const uint8_t* bytes) {
  const uint32_t bits = bytes[0] | uint32_t{bytes[1]} << 8;
  const uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 0x1f,
                 mantissa = bits & 0x3ff;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  const uint32_t widened = exponent == 0x1f ? 0xffu : exponent + 112;
  return std::bit_cast<float>(sign | widened << 23 | mantissa << 13);
}

/// The j-th of 32 4-bit values: low halves first, then high halves.
int nibble(const uint8_t* q, int j) { return j < 16 ? q[j] & 15 : q[j - 16] >> 4; }

/// Bit j of 32.
int high_bit(const uint8_t* bits, int j) { return bits[j / 8] >> (j % 8) & 1; }

void decode_q4_0(const uint8_t* block, float* out) {
  const float d = half_at(block);
  for (int j = 0; j < 32; ++j) out[j] = d * static_cast<float>(nibble(block + 2, j) - 8);
}

void decode_q4_1(const uint8_t* block, float* out) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int j = 0; j < 32; ++j) out[j] = d * static_cast<float>(nibble(block + 4, j)) + m;
}

void decode_q5_0(const uint8_t* block, float* out) {
  const float d = half_at(block);
  for (int j = 0; j < 32; ++j) {
    const int q = nibble(block + 6, j) | high_bit(block + 2, j) << 4;
    out[j] = d * static_cast<float>(q - 16);
  }
}

void decode_q5_1(const uint8_t* block, float* out) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int j = 0; j < 32; ++j) {
    const int q = nibble(block + 8, j) | high_bit(block + 4, j) << 4;
    out[j] = d * static_cast<float>(q) + m;
  }
}

void decode_q8_0(const uint8_t* block, float* out) {
  const float d = half_at(block);
  for (int j = 0; j < 32; ++j) out[j] = static_cast<float>(static_cast<int8_t>(block[2 + j])) * d;
}

// scales[16] (low half scale, high half offset), q[64], d, dmin
void decode_q2_k(const uint8_t* block, float* out) {
  const uint8_t* q = block + 16;
  const float d = half_at(block + 80), dmin = half_at(block + 82);
  for (int i = 0; i < 256; ++i) {
    const uint8_t packed = block[i / 16];
    const float scale = d * static_cast<float>(packed & 15);
    const float offset = dmin * static_cast<float>(packed >> 4);
    const int value = q[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
    out[i] = scale * static_cast<float>(value) - offset;
  }
}

// mask[32] (a clear bit takes 4 off), q[64], scales[12] (4 low bits, then 2 high bits), d
void decode_q3_k(const uint8_t* block, float* out) {
  const uint8_t *mask = block, *q = block + 32, *packed = block + 96;
  const float d = half_at(block + 108);
  for (int i = 0; i < 256; ++i) {
    const int group = i / 16;
    const int low = packed[group % 8] >> (group / 8 * 4) & 15;
    const int high = packed[8 + group % 4] >> (group / 4 * 2) & 3;
    const float scale = d * static_cast<float>((low | high << 4) - 32);
    const int bits = q[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
    const int value = bits - (mask[i % 32] >> (i / 32) & 1 ? 0 : 4);
    out[i] = scale * static_cast<float>(value);
  }
}

struct Group {
  int scale, offset;
};

/// 6-bit scale and offset of one of 8 groups, from 12 bytes.
Group group_of(const uint8_t* packed, int j) {
  if (j < 4) return {packed[j] & 63, packed[j + 4] & 63};
  return {(packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4, packed[j + 4] >> 4 | (packed[j] >> 6)
                                                                                     << 4};
}

// d, dmin, scales[12], q[128]
void decode_q4_k(const uint8_t* block, float* out) {
  const float d = half_at(block), dmin = half_at(block + 2);
  const uint8_t* q = block + 16;
  for (int i = 0; i < 256; ++i) {
    const Group group = group_of(block + 4, i / 32);
    const int value = q[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15;
    out[i] = d * static_cast<float>(group.scale) * static_cast<float>(value) -
             dmin * static_cast<float>(group.offset);
  }
}

// d, dmin, scales[12], high[32], q[128]
void decode_q5_k(const uint8_t* block, float* out) {
  const float d = half_at(block), dmin = half_at(block + 2);
  const uint8_t *high = block + 16, *q = block + 48;
  for (int i = 0; i < 256; ++i) {
    const Group group = group_of(block + 4, i / 32);
    const int low = q[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15;
    const int value = low | (high[i % 32] >> (i / 32) & 1) << 4;
    out[i] = d * static_cast<float>(group.scale) * static_cast<float>(value) -
             dmin * static_cast<float>(group.offset);
  }
}

// low[128], high[64], scales[16] signed, d
void decode_q6_k(const uint8_t* block, float* out) {
  const uint8_t *low = block, *high = block + 128, *scales = block + 192;
  const float d = half_at(block + 208);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, quarter = i % 128 / 32;
    const int nib = low[half * 64 + i % 64] >> (quarter / 2 * 4) & 15;
    const int two = high[half * 32 + i % 32] >> (quarter * 2) & 3;
    const float scale = d * static_cast<float>(static_cast<int8_t>(scales[i / 16]));
    out[i] = scale * static_cast<float>((nib | two << 4) - 32);
  }
}

constexpr QuantType kTypes[] = {
    {0, "F32", 1, 4, ATTUNE_F32, nullptr},
    {1, "F16", 1, 2, ATTUNE_F16, nullptr},
    {2, "Q4_0", 32, 18, ATTUNE_F32, decode_q4_0},
    {3, "Q4_1", 32, 20, ATTUNE_F32, decode_q4_1},
    {6, "Q5_0", 32, 22, ATTUNE_F32, decode_q5_0},
    {7, "Q5_1", 32, 24, ATTUNE_F32, decode_q5_1},
    {8, "Q8_0", 32, 34, ATTUNE_F32, decode_q8_0},
    {10, "Q2_K", 256, 84, ATTUNE_F32, decode_q2_k},
    {11, "Q3_K", 256, 110, ATTUNE_F32, decode_q3_k},
    {12, "Q4_K", 256, 144, ATTUNE_F32, decode_q4_k},
    {13, "Q5_K", 256, 176, ATTUNE_F32, decode_q5_k},
    {14, "Q6_K", 256, 210, ATTUNE_F32, decode_q6_k},
    {28, "F64", 1, 8, ATTUNE_F64, nullptr},
    {30, "BF16", 1, 2, ATTUNE_BF16, nullptr},
};

}  // namespace

const QuantType* find_quant_type(uint32_t number) {
  for (const QuantType& type : kTypes) {
    if (type.number == number) return &type;
  }
  return nullptr;
}

std::string known_quant_types() {
  std::string names;
  for (const QuantType& type : kTypes) {
    names += (names.empty() ? "" : ", ") + std::string(type.name) + " (" +
             std::to_string(type.number) + ")";
  }
  return names;
}

}  // namespace attune
