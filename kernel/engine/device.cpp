// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/device.h"

#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <dlfcn.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>

#include "attune/error.h"

namespace attune {
namespace {

void open_cuda() {
  static const bool opened = [] {
    setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);  // Without it cuBLAS may sum in an order of the moment.
    Dl_info info{};
    dladdr(reinterpret_cast<const void*>(&at::globalContext), &info);
    const auto folder = std::filesystem::path(info.dli_fname).parent_path();
    for (const char* name : {"libc10_cuda.so", "libtorch_cuda.so"}) {
      if (!dlopen((folder / name).c_str(), RTLD_NOW | RTLD_GLOBAL)) {
        throw Error(std::string("device = \"cuda\": cannot open ") + name + " (" + dlerror() +
                    "); use a LibTorch with CUDA and its libraries, or device = \"cpu\"");
      }
    }
    return true;
  }();
  (void)opened;
}

}  // namespace

c10::Device open_device(const std::string& name) {
  if (name == "cpu") return c10::Device(c10::kCPU);
  if (name != "cuda") throw Error("device: expected \"cpu\" or \"cuda\", found \"" + name + "\"");
  open_cuda();
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  if (!at::hasCUDA() || at::getNumGPUs() == 0) {
    throw Error("device = \"cuda\": no CUDA device is visible to this process; use device = \"cpu\"");
  }
  return c10::Device(c10::kCUDA, 0);
}

int64_t peak_device_memory(c10::Device device) {
  if (device.is_cpu()) return 0;
  const auto stats = at::getDeviceAllocator(device.type())->getDeviceStats(device.has_index() ? device.index() : c10::DeviceIndex(0));
  return stats.allocated_bytes[size_t(c10::CachingAllocator::StatType::AGGREGATE)].peak;
}

int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t(usage.ru_maxrss) * 1024;
}

}  // namespace attune
