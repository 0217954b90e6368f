// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/screen_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace attune::testing {
namespace {

constexpr ScreenStyle kBlocks{.unicode = true}, kPlain{.unicode = false};

TEST(ScreenText, NothingThatSteersATerminalPasses) {
  EXPECT_EQ(screen_text("a\x1b[2Jb\x07\x9b", 20, kBlocks), "a?[2Jb??");
  EXPECT_EQ(screen_text("\xc2\x9b"
                        "31m \xe2\x80\xae"
                        "evil",
                        20, kBlocks),
            "?31m ?evil");
  EXPECT_EQ(screen_text("a\r\n\t b  c ", 20, kBlocks), "a b c");
  EXPECT_EQ(screen_text("\xf0\x9f\x98", 20, kBlocks), "???");
}

TEST(ScreenText, IsCutByColumnsNotBytes) {
  EXPECT_EQ(screen_text("日本語", 6, kBlocks), "日本語");
  EXPECT_EQ(screen_text("日本語", 5, kBlocks), "日本…");
  EXPECT_EQ(screen_text("日本語", 4, kBlocks), "日…");
  EXPECT_EQ(screen_width("e\xcc\x81日"), 3u);
  EXPECT_EQ(screen_text("abcdefgh", 6, kPlain), "abc...");
  EXPECT_EQ(screen_text("naïve", 9, kPlain), "na?ve");
  EXPECT_EQ(screen_cell("ab", 4, kPlain), "ab  ");
  EXPECT_EQ(screen_cell("ab", 4, kPlain, true), "  ab");
}

TEST(Sparkline, RisesFromTheLowestToTheHighestValue) {
  const std::vector<double> values = {0, 1, 2, 3, 4, 5, 6, 7};

  EXPECT_EQ(sparkline(values, 20, kBlocks), "▁▂▃▄▅▆▇█");
  EXPECT_EQ(sparkline(values, 20, kPlain), "_.-~=+*#");
  EXPECT_EQ(sparkline(values, 4, kPlain), "_-+#");  // Means 0.5, 2.5, 4.5, 6.5.
}

TEST(Sparkline, BearsConstantsGapsAndHugeValues) {
  EXPECT_EQ(sparkline(std::vector<double>{2, 2}, 9, kPlain), "==");
  EXPECT_EQ(sparkline(std::vector<double>{0, NAN, 1}, 9, kPlain), "_ #");
  EXPECT_EQ(sparkline(std::vector<double>{-1.7e308, 0, 1.7e308}, 9, kPlain), "_=#");
  EXPECT_EQ(sparkline({}, 9, kPlain), "");
}

TEST(ProgressBar, IsAsWideAsAsked) {
  EXPECT_EQ(progress_bar(0.5, 8, kPlain), "====>...");
  EXPECT_EQ(progress_bar(2, 4, kPlain), "====");
  EXPECT_EQ(progress_bar(0.5, 3, kBlocks), "█▌░");
  for (const double share : {0.0, 0.01, 0.33, 0.999, 1.0})
    EXPECT_EQ(screen_width(progress_bar(share, 17, kBlocks)), 17u) << share;
}

}  // namespace
}  // namespace attune::testing
