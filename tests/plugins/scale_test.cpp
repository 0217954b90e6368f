// SPDX-License-Identifier: Apache-2.0
// How fast the host finds plugins. The numbers are in docs/sites.md.
#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "plugins/hostile/mutate.h"
#include "plugins/scratch.h"

namespace attune {
namespace {

using namespace attune::testing;
constexpr int kPlugins = 200;

/// Milliseconds of processor time that ended children took. The clock on the wall would count what else the machine does.
double spent() {
  rusage used{};
  getrusage(RUSAGE_CHILDREN, &used);
  const auto of = [](const timeval& time) { return 1000.0 * double(time.tv_sec) + double(time.tv_usec) / 1000; };
  return of(used.ru_utime) + of(used.ru_stime);
}

struct Cost {
  double processor = 1e9, wall = 1e9;  ///< milliseconds
};

/// The least of some tries, each after `prepare`.
template <typename Body, typename Prepare>
Cost best(Body body, Prepare prepare) {
  Cost least;
  for (int i = 0; i < 15; ++i) {
    prepare();
    const auto begin = std::chrono::steady_clock::now();
    const double before = spent();
    body();
    least.processor = std::min(least.processor, spent() - before);
    least.wall = std::min(least.wall, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  return least;
}

/// Makes the system forget what it read of a file.
void forget(const std::string& file) {
  const int descriptor = open(file.c_str(), O_RDONLY);
  ASSERT_GE(descriptor, 0) << file;
  fsync(descriptor);
  posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
  close(descriptor);
}

class Scale : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string good = slurp(fixture("good"));
    for (int i = 0; i < kPlugins; ++i) {
      const std::string name = std::to_string(1000 + i);
      spill(scratch.path(name + ".attune.so"), word(good, "test.good", "test." + name));
    }
  }
  Scratch scratch;
};

/// One start of the program.
void list(const std::string& options) {
  ASSERT_EQ(std::system(("'" ATTUNE_BIN_DIR "/attune' plugins list " + options + " >/dev/null").c_str()), 0);
}

// Measured on the program: a test is compiled without optimisation.
TEST_F(Scale, TwoHundredPluginsAreListedInFiftyMillisecondsEachReadInAHundredMicroseconds) {
  const std::string folder = "--plugin-path '" + scratch.path() + "'";
  const auto nothing = [] {};
  const Cost without = best([] { list(""); }, nothing);
  const Cost warm = best([&] { list(folder); }, nothing);
  const Cost cold = best([&] { list(folder); }, [&] {
    for (const auto& entry : std::filesystem::directory_iterator(scratch.path())) forget(entry.path());
  });
  const double each = 1000 * (warm.processor - without.processor) / kPlugins;

  const auto print = [](const char* what, const Cost& cost) {
    std::cout << what << ": " << cost.processor << " ms of processor time, " << cost.wall << " ms in all\n";
  };
  print("the build's plugins", without);
  print("with 200 more, read before", warm);
  print("with 200 more, from the disk", cold);
  std::cout << "each: " << each << " us\n";
  EXPECT_LT(warm.processor, 50 * kSlowness);
  EXPECT_LT(cold.processor, 50 * kSlowness);
  EXPECT_LT(each, 100 * kSlowness);
}

}  // namespace
}  // namespace attune
