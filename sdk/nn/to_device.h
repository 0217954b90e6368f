// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>

namespace attune::nn {

/// A tensor of the host on `device`. Where that is another, the copy goes through pinned memory, and the host does not wait.
inline at::Tensor to_device(const at::Tensor& host, at::Device device) {
  if (device.is_cpu() || host.numel() == 0) return host.to(device);
  return host.pin_memory().to(device, host.scalar_type(), /*non_blocking=*/true);
}

}  // namespace attune::nn
