// SPDX-License-Identifier: Apache-2.0
#include "nn/parallel.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "nn/layers.h"

namespace attune::testing {
namespace {

/// So many threads while it lives.
class Threads {
 public:
  explicit Threads(int n) : before_(at::get_num_threads()) { at::set_num_threads(n); }
  ~Threads() { at::set_num_threads(before_); }

 private:
  int before_;
};

TEST(Parallel, VisitsEveryIndexOnce) {
  const Threads threads(2);
  for (const int64_t n : {0, 1, 7, 64, 1001}) {
    for (const int64_t grain : {1, 5, 2000}) {
      std::vector<std::atomic<int>> visits(n);

      nn::parallel(n, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++visits[i];
      });

      for (const auto& visit : visits) EXPECT_EQ(visit, 1) << n << " by " << grain;
    }
  }
}

TEST(Parallel, UsesTheThreadsOfLibTorch) {
  const Threads threads(2);
  std::mutex mutex;
  std::set<std::thread::id> seen;

  nn::parallel(64, 1, [&](int64_t, int64_t) {
    const std::lock_guard lock(mutex);
    seen.insert(std::this_thread::get_id());
  });

  EXPECT_EQ(seen.size(), 2U);
}

TEST(Parallel, GivesTheSameBitsOnAnyNumberOfThreads) {
  at::manual_seed(1);
  const at::Tensor x = at::randn({300, 96}), weight = at::randn({96});
  const auto gradient = [&](int n) {
    const Threads threads(n);
    const at::Tensor a = x.clone().requires_grad_(), w = weight.clone().requires_grad_();
    (nn::rms_norm(a, w, 1e-5) * x).sum().backward();
    return at::cat({a.grad().flatten(), w.grad()});
  };

  EXPECT_TRUE(at::equal(gradient(1), gradient(2)));
}

}  // namespace
}  // namespace attune::testing
