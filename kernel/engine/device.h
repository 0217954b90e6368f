// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <c10/core/Device.h>

#include <string>

namespace attune {

/// "cpu" or "cuda". For CUDA, opens libtorch_cuda.so beside the LibTorch in use, which is not linked. Throws Error with
/// the loader's reason where that, or a device, is missing.
c10::Device open_device(const std::string& name);

/// Largest resident size of this process so far, bytes.
int64_t peak_memory();

}  // namespace attune
