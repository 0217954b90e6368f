// SPDX-License-Identifier: Apache-2.0
// How fast the host finds plugins. The numbers are in docs/sites.md.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
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

/// The shortest of some tries.
template <typename Body>
double best(Body body) {
  double shortest = 1e9;
  for (int i = 0; i < 15; ++i) {
    const double before = spent();
    body();
    shortest = std::min(shortest, spent() - before);
  }
  return shortest;
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
  const double without = best([] { list(""); });
  const double time = best([&] { list("--plugin-path '" + scratch.path() + "'"); });

  std::cout << kPlugins << " plugins and those of the build listed in " << time << " ms, " << 1000 * (time - without) / kPlugins << " us for each\n";
  EXPECT_LT(time, 50 * kSlowness);
  EXPECT_LT(1000 * (time - without) / kPlugins, 100 * kSlowness);
}

}  // namespace
}  // namespace attune
