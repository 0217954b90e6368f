// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace attune {

/// How this thread rounds and whether it flushes small numbers to zero: the control bits of MXCSR,
/// or FPCR. A library that was linked with -ffast-math changes them for everybody when it is
/// loaded.
uint64_t fp_mode();
void set_fp_mode(uint64_t mode);

}  // namespace attune
