// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/PhiloxRNGEngine.h>

#include <cstdint>
#include <string_view>

namespace attune {

/// Random numbers are functions of what they are for, never of what was drawn before: (seed, purpose, index) names a
/// stream, so that a resumed run and a reordered batch see the same numbers. Philox 4x32-10 (Salmon et al., 2011).
class RandomStream {
 public:
  RandomStream(uint64_t seed, std::string_view purpose, uint64_t index)
      : engine_(mix(seed ^ hash(purpose)), index, 0) {}

  uint64_t bits() { return (uint64_t(engine_()) << 32) | engine_(); }
  /// Uniform in [0, 1), 53 bits.
  double uniform() { return double(bits() >> 11) * 0x1.0p-53; }
  float normal() { return engine_.randn(10); }

  /// FNV-1a.
  static constexpr uint64_t hash(std::string_view text) {
    uint64_t value = 0xcbf29ce484222325u;
    for (const char c : text) value = (value ^ uint8_t(c)) * 0x100000001b3u;
    return value;
  }
  /// The finalizer of SplitMix64: spreads small integers over all bits.
  static constexpr uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }

 private:
  at::Philox4_32 engine_;
};

/// The place of `index` in a shuffle of 0 .. n-1 that depends on (seed, epoch) alone, in O(1): a four-round Feistel
/// network on the next even power of two, walked until it falls inside (Black and Rogaway, 2002).
inline int64_t shuffled(uint64_t seed, int64_t epoch, int64_t index, int64_t n) {
  int half = 1;
  while ((int64_t(1) << (2 * half)) < n) ++half;
  const uint64_t mask = (uint64_t(1) << half) - 1;
  const uint64_t key = RandomStream::mix(seed ^ RandomStream::mix(uint64_t(epoch) + 1));
  uint64_t x = uint64_t(index);
  do {
    uint64_t left = x >> half, right = x & mask;
    for (uint64_t round = 0; round < 4; ++round) {
      const uint64_t next = left ^ (RandomStream::mix(key + (round << 56) + right) & mask);
      left = right;
      right = next;
    }
    x = (left << half) | right;
  } while (x >= uint64_t(n));
  return int64_t(x);
}

}  // namespace attune
