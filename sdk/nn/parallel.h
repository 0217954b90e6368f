// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <c10/util/FunctionRef.h>

#include <cstdint>

/// On a hot loop: compiled for the instruction sets named, and chosen when the program starts. No
/// fused multiply-add, so every variant gives the same numbers.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define ATTUNE_FOR_EACH_CPU __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define ATTUNE_FOR_EACH_CPU
#endif

namespace attune::nn {

/// Calls `body(begin, end)` for ranges that together are [0, n), on LibTorch's own threads. A range
/// is at least `grain` long unless it is the last. Rationale: at::parallel_for is a template that
/// runs serially unless its user is compiled and linked with the OpenMP that LibTorch has; a second
/// OpenMP in the process must not be.
void parallel(int64_t n, int64_t grain, c10::function_ref<void(int64_t begin, int64_t end)> body);

}  // namespace attune::nn
