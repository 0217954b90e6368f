// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/block_cache.h"

#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <unordered_map>
#include <utility>

namespace attune {
namespace {

constexpr size_t kLarge = 256 << 10, kPage = 4 << 10;
constexpr size_t kLeastPiece = 64 << 10;  ///< A smaller rest stays with its block.
constexpr size_t kMostMappings = 30'000;  ///< The system lets a process have 65,530.

/// The mappings that blocks lie on. The system moves no range across the start of one.
class Mappings {
 public:
  /// Fresh pages; nullptr where there is no memory.
  char* map(size_t size) {
    void* const block = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) return nullptr;
    starts_.insert(static_cast<char*>(block));
    return static_cast<char*>(block);
  }

  void unmap(char* begin, size_t size) {
    ::munmap(begin, size);
    starts_.erase(starts_.lower_bound(begin), starts_.lower_bound(begin + size));
  }

  /// Moves `size` bytes of pages below the addresses at `to`, which are mapped, whose own pages are lost; false where the system
  /// refuses, with what could not be moved unmapped.
  bool move(char* from, size_t size, char* to) {
    while (size > 0) {
      const auto next = starts_.upper_bound(from);
      const size_t part = next == starts_.end() ? size : std::min(size, size_t(*next - from));
      if (starts_.size() >= kMostMappings || ::mremap(from, part, part, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED) {
        unmap(from, size);
        return false;
      }
      starts_.erase(from);
      starts_.insert(to);
      from += part, to += part, size -= part;
    }
    return true;
  }

 private:
  std::set<char*> starts_;  ///< and perhaps addresses where the system has joined two
};

/// Ranges of pages that were used and may be used again, by address and by size. Neighbours are one range.
class FreePages {
 public:
  using Range = std::pair<char*, size_t>;

  size_t bytes() const { return bytes_; }

  void add(char* begin, size_t size) {
    bytes_ += size;
    auto next = by_address_.lower_bound(begin);
    if (next != by_address_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == begin) {
        begin = before->first, size += before->second;
        forget(before);
      }
    }
    if (next != by_address_.end() && begin + size == next->first) {
      size += next->second;
      forget(next);
    }
    by_address_.emplace(begin, size);
    by_size_.emplace(size, begin);
  }

  /// The smallest range of at least `size`, cut to it; {nullptr, 0} where none is.
  Range fitting(size_t size) {
    const auto found = by_size_.lower_bound({size, nullptr});
    if (found == by_size_.end()) return {nullptr, 0};
    const auto [whole, begin] = *found;
    return cut(begin, whole, size);
  }

  /// The largest range, cut to `size` where it is larger.
  Range largest(size_t size) {
    const auto [whole, begin] = *std::prev(by_size_.end());
    return cut(begin, whole, std::min(size, whole));
  }

 private:
  Range cut(char* begin, size_t whole, size_t size) {
    forget(by_address_.find(begin));
    bytes_ -= whole;
    if (whole - size < kLeastPiece) size = whole;
    else add(begin + size, whole - size);
    return {begin, size};
  }

  void forget(std::map<char*, size_t>::iterator range) {
    by_size_.erase({range->second, range->first});
    by_address_.erase(range);
  }

  std::map<char*, size_t> by_address_;
  std::set<std::pair<size_t, char*>> by_size_;
  size_t bytes_ = 0;
};

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
    drop();
  }

  static BlockCache& the() {
    static auto* const made = new BlockCache(*c10::GetDefaultCPUAllocator());
    return *made;
  }

 private:
  static void give(void* block) { the().put(block); }

  void* take(size_t size) {
    const std::lock_guard lock(mutex_);
    auto [block, got] = free_.fitting(size);
    if (!block) {
      block = mappings_.map(size), got = size;
      if (!block) {
        drop();
        block = mappings_.map(size);
      }
      if (!block) throw std::bad_alloc();
      fill(block, size);
    }
    sizes_[block] = got;
    used_ += got;
    report(block, int64_t(got));
    return block;
  }

  /// Moves free pages below a new block's addresses, which takes a tenth of what the system takes to clear them.
  void fill(char* block, size_t size) {
    while (size > 0 && free_.bytes() > 0) {
      const auto [piece, length] = free_.largest(size);
      const size_t moved = std::min(length, size);
      if (length > moved) mappings_.unmap(piece + moved, length - moved);
      if (!mappings_.move(piece, moved, block)) return;
      block += moved, size -= moved;
    }
  }

  void put(void* block) {
    if (!block) return;
    const std::lock_guard lock(mutex_);
    const auto found = sizes_.find(block);
    if (found == sizes_.end()) return small_.raw_deleter()(block);
    const size_t size = found->second;
    sizes_.erase(found);
    used_ -= size;
    free_.add(static_cast<char*>(block), size);
    report(block, -int64_t(size));
  }

  void drop() {
    while (free_.bytes() > 0) {
      const auto [piece, length] = free_.largest(free_.bytes());
      mappings_.unmap(piece, length);
    }
  }

  void report(void* block, int64_t change) const {
    if (c10::memoryProfilingEnabled()) {
      c10::reportMemoryUsageToProfiler(block, change, used_, used_ + free_.bytes(), c10::Device(c10::DeviceType::CPU));
    }
  }

  c10::Allocator& small_;
  std::mutex mutex_;
  Mappings mappings_;
  FreePages free_;
  std::unordered_map<void*, size_t> sizes_;  ///< of blocks in use
  size_t used_ = 0;                          ///< bytes
};

}  // namespace

void empty_block_cache() { BlockCache::the().empty(); }

void use_block_cache() { c10::SetCPUAllocator(&BlockCache::the(), /*priority=*/1); }

}  // namespace attune
