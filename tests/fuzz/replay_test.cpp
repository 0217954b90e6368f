// SPDX-License-Identifier: Apache-2.0
// Inputs that once broke a parser, and the seeds that fuzzing starts from.
#include <gtest/gtest.h>

#include "faults/process.h"
#include "fuzz/target.h"

namespace attune::testing {
namespace {

TEST(Fuzz, WhatOnceBrokeAParserDoesNoMore) {
  const fs::path root = fs::path(ATTUNE_SOURCE_DIR) / "tests/fuzz/regressions";
  size_t replayed = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    const auto target = fuzz::targets().find(entry.path().parent_path().filename().string());
    ASSERT_NE(target, fuzz::targets().end()) << entry.path();
    SCOPED_TRACE(entry.path().string());
    target->second(read_file(entry.path()));
    ++replayed;
  }
  EXPECT_GE(replayed, 1u);
}

TEST(Fuzz, EveryTargetTakesAnything) {
  ASSERT_EQ(fuzz::targets().size(), 12u);
  std::string noise;
  for (unsigned i = 0; i < 4096; ++i) noise += static_cast<char>((i * 2654435761u) >> 24);
  for (const auto& [name, target] : fuzz::targets()) {
    SCOPED_TRACE(name);
    for (const std::string& bytes : {std::string(), std::string("\0", 1), std::string("{}"), std::string("a = 1\n"), noise}) target(bytes);
  }
}

}  // namespace
}  // namespace attune::testing
