// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/device.h"

#include <ATen/Context.h>
#include <dlfcn.h>
#include <sys/resource.h>

#include <filesystem>

#include "attune/error.h"

namespace attune {
namespace {

void open_cuda() {
  static const bool opened = [] {
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
  if (!at::hasCUDA() || at::getNumGPUs() == 0) {
    throw Error("device = \"cuda\": no CUDA device is visible to this process; use device = \"cpu\"");
  }
  return c10::Device(c10::kCUDA, 0);
}

int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t(usage.ru_maxrss) * 1024;
}

}  // namespace attune
