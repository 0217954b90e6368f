// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/block_cache.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

namespace attune {
namespace {

int64_t resident() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, pages = 0;
  statm >> size >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

TEST(BlockCache, GivesABlockAgainToATensorOfItsSize) {
  use_block_cache();
  at::Tensor tensor = at::ones({8 << 20});
  const void* const block = tensor.data_ptr();

  tensor.reset();
  tensor = at::empty({8 << 20});

  EXPECT_EQ(tensor.data_ptr(), block);
}

TEST(BlockCache, HoldsNoMoreThanWasInUseAtOnce) {
  use_block_cache();
  empty_block_cache();
  const int64_t before = resident();

  for (int64_t elements = 8 << 20; elements < 9 << 20; elements += 64 << 10) at::ones({elements});

  EXPECT_LT(resident() - before, 48 << 20);  // The largest has 36 MB; all together have half a gigabyte.
  empty_block_cache();
  EXPECT_LT(resident() - before, 8 << 20);
}

TEST(BlockCache, MakesALargeTensorOfThePagesOfSmallOnes) {
  use_block_cache();
  empty_block_cache();
  std::vector<at::Tensor> tensors;
  for (int64_t i = 0; i < 16; ++i) tensors.push_back(at::full({1 << 20}, i));
  for (size_t i = 0; i < 16; i += 2) tensors[i].reset();
  rusage before, after;
  getrusage(RUSAGE_SELF, &before);

  const at::Tensor large = at::full({8 << 20}, 100);

  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_minflt - before.ru_minflt, 64);  // 8,192 pages, of which the system cleared none.
  EXPECT_TRUE((large == 100).all().item<bool>());
  for (size_t i = 1; i < 16; i += 2) EXPECT_TRUE((tensors[i] == int64_t(i)).all().item<bool>()) << i;
}

TEST(BlockCache, LeavesTheContentsOfTensorsAlone) {
  use_block_cache();
  std::vector<at::Tensor> tensors;
  for (int64_t i = 0; i < 64; ++i) {
    tensors.push_back(at::full({(i % 5 + 1) * 100'000}, i));
    if (i % 3 == 2) tensors[size_t(i - 1)] = at::full({50'000}, i - 1);
  }

  for (int64_t i = 0; i < 64; ++i) EXPECT_TRUE((tensors[size_t(i)] == i).all().item<bool>()) << i;
}

}  // namespace
}  // namespace attune
