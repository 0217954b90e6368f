// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/fp_mode.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace attune {

#if defined(__x86_64__)
namespace {
// The low six bits record what happened, and change with every inexact operation.
constexpr uint32_t kStatus = 0x3f;
}  // namespace

uint64_t fp_mode() { return _mm_getcsr() & ~kStatus; }
void set_fp_mode(uint64_t mode) {
  _mm_setcsr((_mm_getcsr() & kStatus) | static_cast<uint32_t>(mode));
}
#elif defined(__aarch64__)
uint64_t fp_mode() {
  uint64_t mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
void set_fp_mode(uint64_t mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#else
#error "attune runs on x86_64 and aarch64"
#endif

}  // namespace attune
