// SPDX-License-Identifier: Apache-2.0
// The newest abi.h against every released one.
#include <gtest/gtest.h>

#include "abi/header.h"
#include "faults/process.h"

namespace attune::testing {
namespace {

using Lines = std::vector<std::string>;

std::string current() { return read_file(fs::path(ATTUNE_SOURCE_DIR) / "sdk/include/attune/abi.h"); }

/// What the checker says of today's header with `from` replaced by `to`.
Lines said_of(const std::string& from, const std::string& to) {
  std::string text = current();
  const size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  text.replace(at, from.size(), to);
  return broken_promises(read_header(current()), read_header(text));
}

TEST(Abi, KeepsThePromisesOfEveryRelease) {
  size_t releases = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(ATTUNE_SOURCE_DIR) / "sdk/released")) {
    const Header before = read_header(read_file(entry.path() / "attune/abi.h"));
    EXPECT_GE(before.structs.size(), 30u) << entry.path();
    EXPECT_GE(before.constants.size(), 40u);
    EXPECT_EQ(broken_promises(before, read_header(current())), Lines()) << entry.path();
    const std::string version = entry.path().filename().string();
    EXPECT_NE(read_file(fs::path(ATTUNE_SOURCE_DIR) / "sdk/CHANGES").find("\n" + version + "\n"), std::string::npos) << version;
    ++releases;
  }
  EXPECT_GE(releases, 1u);
}

TEST(Abi, TheCheckNamesTableAndMember) {
  const std::string count = "int32_t (*count)(void *self, int64_t *records);";
  // Something before it.
  EXPECT_EQ(said_of(count, "int32_t (*early)(void *self);\n" + count),
            Lines{"attune_reader: member 4 was `int32_t (*count)(void *self, int64_t *records)`, is `int32_t (*early)(void *self)`"});
  // Another parameter.
  EXPECT_EQ(said_of(count, "int32_t (*count)(void *self, int32_t *records);"),
            Lines{"attune_reader: member 4 was `int32_t (*count)(void *self, int64_t *records)`, is `int32_t (*count)(void *self, int32_t *records)`"});
  // Another order within one declaration.
  EXPECT_EQ(said_of("size_t begin, end;\n  size_t turn;", "size_t end, begin;\n  size_t turn;"),
            Lines{"attune_span: member 0 was `size_t begin`, is `size_t end`"});
  // A leaf that grows.
  EXPECT_EQ(said_of("size_t begin, end;\n  size_t turn;", "size_t begin, end;\n  size_t turn;\n  size_t more;"),
            Lines{"attune_span: is frozen, and has the new member `size_t more`"});
  EXPECT_EQ(said_of("ATTUNE_E_IO = 4", "ATTUNE_E_IO = 9"), Lines{"ATTUNE_E_IO: was 4, is 9"});
  EXPECT_EQ(said_of("ATTUNE_STOP_LENGTH = 3", "ATTUNE_STOP_FULL = 3"), Lines{"ATTUNE_STOP_LENGTH: is gone"});
}

TEST(Abi, ATableMayGrowAtItsEnd) {
  EXPECT_EQ(said_of("void (*write)(const struct attune_log *log, int32_t level, attune_str message);",
                    "void (*write)(const struct attune_log *log, int32_t level, attune_str message); int32_t (*flush)(void);"),
            Lines());
}

}  // namespace
}  // namespace attune::testing
