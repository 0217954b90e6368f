// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/block_cache.h"

#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

namespace attune {
namespace {

constexpr size_t kLarge = 256 << 10, kPage = 4 << 10, kHugePage = 2 << 20;

class BlockCache final : public c10::Allocator {
 public:
  explicit BlockCache(c10::Allocator& small) : small_(small) {}

  c10::DataPtr allocate(size_t size) override {
    if (size < kLarge) return small_.allocate(size);
    void* const block = take((size + kPage - 1) / kPage * kPage);
    return {block, block, &give, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give; }
  void copy_data(void* to, const void* from, size_t size) const override { default_copy_data(to, from, size); }

  void empty() {
    const std::lock_guard lock(mutex_);
    while (kept_ > 0) drop_largest();
    most_ = used_;
  }

  static BlockCache& the() {
    static auto* const made = new BlockCache(*c10::GetDefaultCPUAllocator());
    return *made;
  }

 private:
  static void give(void* block) { the().put(block); }

  void* take(size_t size) {
    const std::lock_guard lock(mutex_);
    void* block = nullptr;
    if (const auto found = free_.find(size); found != free_.end()) {
      block = found->second.back();
      found->second.pop_back();
      if (found->second.empty()) free_.erase(found);
      kept_ -= size;
    } else {
      while (kept_ > 0 && used_ + kept_ + size > most_) drop_largest();
      block = map(size);
    }
    sizes_[block] = size;
    used_ += size, most_ = std::max(most_, used_);
    report(block, int64_t(size));
    return block;
  }

  void put(void* block) {
    if (!block) return;
    const std::lock_guard lock(mutex_);
    const auto found = sizes_.find(block);
    if (found == sizes_.end()) return small_.raw_deleter()(block);
    const size_t size = found->second;
    sizes_.erase(found);
    used_ -= size, kept_ += size;
    free_[size].push_back(block);
    report(block, -int64_t(size));
  }

  void* map(size_t size) {
    void* block = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
      while (kept_ > 0) drop_largest();
      block = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (block == MAP_FAILED) throw std::bad_alloc();
    }
    if (size >= kHugePage) ::madvise(block, size, MADV_HUGEPAGE);
    return block;
  }

  void drop_largest() {
    const auto last = std::prev(free_.end());
    ::munmap(last->second.back(), last->first);
    kept_ -= last->first;
    last->second.pop_back();
    if (last->second.empty()) free_.erase(last);
  }

  void report(void* block, int64_t change) const {
    if (c10::memoryProfilingEnabled()) c10::reportMemoryUsageToProfiler(block, change, used_, used_ + kept_, c10::Device(c10::DeviceType::CPU));
  }

  c10::Allocator& small_;
  std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;  ///< by size
  std::unordered_map<void*, size_t> sizes_;    ///< of blocks in use
  size_t used_ = 0, kept_ = 0, most_ = 0;      ///< bytes
};

}  // namespace

void empty_block_cache() { BlockCache::the().empty(); }

void use_block_cache() { c10::SetCPUAllocator(&BlockCache::the(), /*priority=*/1); }

}  // namespace attune
