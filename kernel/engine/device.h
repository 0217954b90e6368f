// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <c10/core/Device.h>

#include <string>

namespace attune {

/// "cpu" or "cuda". For CUDA, opens libtorch_cuda.so beside the LibTorch in use, which is not linked. Throws Error with
/// the loader's reason where that, or a device, is missing. Rationale: on CUDA the operators that have two ways of summing
/// take the one with a fixed order, so that there too a resumed run has the bits of an unbroken one; fp32 products stay fp32.
c10::Device open_device(const std::string& name);

/// The most of the device's memory that tensors of this process had at a time, bytes; 0 for the CPU.
int64_t peak_device_memory(c10::Device device);

/// Largest resident size of this process so far, bytes.
int64_t peak_memory();

}  // namespace attune
