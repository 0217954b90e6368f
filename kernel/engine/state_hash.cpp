// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/state_hash.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>

#include "kernel/engine/random.h"

namespace attune {
namespace {

/// The elements in the order of memory.
at::Tensor flat(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.detach();
  if (plain.is_contiguous()) return plain.view(-1);
  if (plain.is_non_overlapping_and_dense())
    return plain.as_strided({plain.numel()}, {1}, plain.storage_offset());
  return plain.reshape(-1);
}

}  // namespace

void StateHash::add(uint64_t bits) { value_ = RandomStream::mix(value_ * 0x9e3779b97f4a7c15u + bits + 1); }

void StateHash::add(double number) { add(std::bit_cast<uint64_t>(number)); }

void StateHash::add(const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor whole = tensor.detach().to(at::kCPU).contiguous();
    const char* const bytes = static_cast<const char*>(whole.data_ptr());
    for (size_t at = 0; at < whole.nbytes(); at += 8) {
      uint64_t word = 0;
      std::memcpy(&word, bytes + at, std::min<size_t>(8, whole.nbytes() - at));
      add(word);
    }
  }
}

void StateHash::add_sample(std::span<const at::Tensor> tensors, int64_t step) {
  std::vector<at::Tensor> on_device;
  for (const at::Tensor& tensor : tensors) {
    const at::Tensor elements = flat(tensor);
    const int64_t stride = std::max<int64_t>(1, elements.numel() / kSampled), first = step % stride;
    if (elements.is_cpu()) add_every(elements, first, stride);
    else on_device.push_back(elements.slice(0, first, elements.numel(), stride));
  }
  if (!on_device.empty()) add_every(at::cat(on_device).to(at::kCPU), 0, 1);  // One copy for all.
}

void StateHash::add_every(const at::Tensor& elements, int64_t first, int64_t stride) {
  const size_t size = elements.element_size();
  const char* const bytes = static_cast<const char*>(elements.data_ptr());
  for (int64_t i = first; i < elements.numel(); i += stride) {
    uint64_t bits = 0;
    std::memcpy(&bits, bytes + size_t(i) * size, size);
    add(bits);
  }
}

std::string StateHash::hex() const {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value_));
  return text;
}

void StateHash::restore(const std::string& hex) { value_ = std::stoull(hex, nullptr, 16); }

}  // namespace attune
