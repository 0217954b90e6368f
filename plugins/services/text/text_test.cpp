// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "support/reader_under_test.h"

namespace {

using namespace attune::testing;

std::vector<std::string> read(const std::string& text, const std::string& unit) {
  std::vector<std::string> found;
  for (const Json& record : records_of("text", text, {{"unit", unit}})) found.push_back(record.at("text"));
  return found;
}

using Texts = std::vector<std::string>;

TEST(TextReader, ReadsLinesParagraphsAndFiles) {
  const std::string text = "\n one\ntwo \r\n  \n\nthree";

  EXPECT_EQ(read(text, "line"), (Texts{" one", "two ", "three"}));
  EXPECT_EQ(read(text, "paragraph"), (Texts{" one\ntwo ", "three"}));
  EXPECT_EQ(read(text, "file"), (Texts{text}));
}

TEST(TextReader, FindsNothingInABlankFile) {
  for (const char* unit : {"line", "paragraph", "file"}) {
    EXPECT_EQ(read("", unit), Texts());
    EXPECT_EQ(read(" \n\t\n", unit), Texts());
  }
}

TEST(TextReader, LeavesOutTheByteOrderMark) { EXPECT_EQ(read("\xEF\xBB\xBFx", "line"), (Texts{"x"})); }

TEST(TextReader, RefusesWhatIsNoUtf8) {
  for (const char* text : {"ok\n\xE4\n", "ok\n\xC0\x80\n", "ok\n\xED\xA0\x80\n", "ok\n\xF4\x90\x80\x80\n"}) {
    const std::string said = records_of("text", text, {{"unit", "line"}}).get<std::string>();
    EXPECT_TRUE(said.starts_with("FILE:2: no valid UTF-8, found the byte 0x")) << said;
  }
}

}  // namespace
