// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "host/scratch_folder.h"
#include "kernel/host/run/axis.h"
#include "kernel/host/run/downsample.h"
#include "kernel/host/run/html.h"
#include "kernel/host/run/report_page.h"

namespace attune::testing {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

std::vector<std::string> ticks(const Axis& axis) {
  std::vector<std::string> made;
  for (const double tick : axis.ticks()) made.push_back(axis.text(tick));
  return made;
}

TEST(Axis, MarksRoundNumbers) {
  using Kind = Axis::Kind;
  EXPECT_EQ(ticks(Axis(0.11, 0.69, Kind::kLinear, 4)),
            (std::vector<std::string>{"0.2", "0.4", "0.6"}));
  EXPECT_EQ(ticks(Axis(0, 5e-4, Kind::kLinear, 4)),
            (std::vector<std::string>{"0", "0.0002", "0.0004"}));
  EXPECT_EQ(ticks(Axis(1, 100000, Kind::kWhole, 4)), (std::vector<std::string>{"50k", "100k"}));
  EXPECT_EQ(ticks(Axis(1, 2, Kind::kWhole, 4)), (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(ticks(Axis(0.002, 80, Kind::kLogarithmic, 4)),
            (std::vector<std::string>{"0.001", "0.01", "0.1", "1", "10", "100"}));
}

TEST(Axis, PlacesConstantsAndTheLargestNumbers) {
  using Kind = Axis::Kind;
  EXPECT_DOUBLE_EQ(Axis(5, 5, Kind::kLinear, 4).place(5), 0.5);
  const Axis huge(-1.7e308, 1.7e308, Kind::kLinear, 4);
  EXPECT_DOUBLE_EQ(huge.place(0), 0.5);
  EXPECT_GE(huge.place(-1.7e308), 0);
  EXPECT_LE(huge.place(1.7e308), 1);
  EXPECT_LT(huge.ticks().size(), 10u);
}

TEST(Buckets, KeepTheLowestAndTheHighestValue) {
  std::vector<MetricLog::Point> curve;
  for (int i = 0; i < 100000; ++i) curve.push_back({double(i + 1), 1.0});
  curve[77777].value = 9, curve[12345].value = -4;
  curve[50000].value = NAN;

  const auto buckets = buckets_of(curve, 300);

  EXPECT_LE(buckets.size(), 300u);
  double low = 1, high = 1;
  for (const Bucket& bucket : buckets)
    low = std::min(low, bucket.low), high = std::max(high, bucket.high);
  EXPECT_EQ(low, -4);
  EXPECT_EQ(high, 9);
  EXPECT_TRUE(
      std::all_of(buckets.begin(), buckets.end(), [](const Bucket& b) { return b.finite; }));
}

TEST(Buckets, AreThePointsWhereThereAreFew) {
  const auto buckets = buckets_of({{1, 2}, {5, NAN}, {9, 4}}, 300);

  ASSERT_EQ(buckets.size(), 3u);
  EXPECT_EQ(buckets[0].mean, 2);
  EXPECT_FALSE(buckets[1].finite);
  EXPECT_EQ(buckets[2].step, 9);
}

TEST(Html, TomlIsColouredAndEscaped) {
  EXPECT_EQ(html_toml("[a.\"<b>\"]\nk = { x = \"<\\\"\", n = -1e-5, ok = true } # '\n"),
            "<span class=\"t\">[a.&quot;&lt;b&gt;&quot;]</span>\n"
            "<span class=\"k\">k</span> = { <span class=\"k\">x</span> = <span "
            "class=\"s\">&quot;&lt;\\&quot;&quot;</span>, "
            "<span class=\"k\">n</span> = <span class=\"n\">-1e-5</span>, <span "
            "class=\"k\">ok</span> = <span "
            "class=\"w\">true</span> } <span class=\"m\"># &#39;</span>\n");
}

class ReportTest : public ::testing::Test {
 protected:
  std::string page() { return report_html(runs_below(folder.str())); }
  ScratchFolder folder;
};

TEST_F(ReportTest, NothingThatARunWroteBecomesMarkup) {
  const std::string evil = "</pre><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>";
  Json row = {{"step", 1}, {"loss", 1e308}, {evil, 1.5}, {"gradient_norm", nullptr}};
  const std::string run = folder / "<script>alert(1)<\\'\">";
  std::filesystem::create_directories(run);
  std::string rows = row.dump() + "\n";
  row["step"] = 2, row["loss"] = -1e308, row[evil] = -2;
  write(run + "/metrics.jsonl", rows + row.dump() + "\n{\"step\":3,\"loss\":NaN}\n");
  write(run + "/answers.jsonl", Json{{"id", evil}, {"prompt", evil}, {"text", evil}}.dump() + "\n");
  write(run + "/record.toml",
        "command_line = '''" + evil + "'''\n[manifest.run]\nkind = '''" + evil + "'''\nname = '''" +
            evil + "'''\n[manifest.algorithm]\nuse = '''" + evil + "'''\n[results]\nformula = '''" +
            evil + "'''\n[notes.inputs]\n'" + "<b>" + "' = '<i>'\n");

  const std::string text = page();

  EXPECT_FALSE(has(text, "<script>alert")) << text.substr(text.find("<script>alert"), 300);
  EXPECT_FALSE(has(text, "<img"));
  EXPECT_FALSE(has(text, "'''"));
  EXPECT_TRUE(has(text, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;&lt;img"));
  EXPECT_TRUE(has(text, "1 line of metrics.jsonl is no row"));
  EXPECT_TRUE(has(text, "no value was finite"));
  for (const char* number : {"nan", "inf,", "inf\"", ",inf"})
    EXPECT_FALSE(has(text, number)) << number;
}

TEST_F(ReportTest, APageOnAHundredThousandStepsIsSmall) {
  std::filesystem::create_directories(folder / "long");
  std::ofstream rows(folder / "long/metrics.jsonl");
  for (int step = 1; step <= 100000; ++step) {
    rows << "{\"step\":" << step;
    for (const char* name :
         {"loss", "reward/margin", "reward/accuracy", "gradient_norm", "tokens_per_s", "memory_mb"})
      rows << ",\"" << name << "\":" << 1 + std::sin(step * 0.37) * 0.5 + 100.0 / step;
    rows << "}\n";
  }
  rows.close();

  const std::string text = page();

  EXPECT_LT(text.size(), 150'000u);
  EXPECT_TRUE(has(text, "class=\"band\""));
}

TEST_F(ReportTest, PutsAnswersAndEvaluationsOfStagesSideBySide) {
  for (const char* stage : {"before", "after"}) {
    std::filesystem::create_directories(folder / stage);
    write(folder / (std::string(stage) + "/answers.jsonl"),
          Json{{"id", "1"}, {"prompt", "Why?"}, {"text", std::string(stage) + " text"}}.dump() +
              "\n");
    write(folder / (std::string(stage) + "/record.toml"),
          "[results.evaluate.two_lines.metrics.match]\nvalue = 0.5\nlow = 0.4\nhigh = 0.6\nshare = "
          "true\n");
  }

  const std::string text = page();

  const size_t why = text.find("<h3>Why?</h3>");
  EXPECT_LT(text.find("before text", why), text.find("Plan", why));
  EXPECT_TRUE(has(text, "after text"));
  EXPECT_TRUE(
      has(text, "<th scope=\"row\">two_lines: match</th><td class=\"num\">50.0 % (40-60)</td>"));
}

}  // namespace
}  // namespace attune::testing
