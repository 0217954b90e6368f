// SPDX-License-Identifier: Apache-2.0
// Which files data is, and which samples of it are left out.
#include <gtest/gtest.h>

#include "fakes.h"
#include "kernel/host/services/data_files.h"
#include "kernel/host/services/data_filter.h"
#include "kernel/host/services/sample_text.h"
#include "scratch_folder.h"

namespace attune::testing {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

bool is_jsonl(const std::string& file) { return file.ends_with(".jsonl"); }

std::string refusal(const std::function<void()>& action) {
  try {
    action();
    return "";
  } catch (const ExitError& error) {
    EXPECT_EQ(error.exit(), Exit::kData);
    return error.what();
  }
}

TEST(DataFiles, AFileAFolderOrAPattern) {
  ScratchFolder folder;
  std::filesystem::create_directories(folder / "b/deep");
  std::filesystem::create_directories(folder / ".hidden");
  for (const char* name :
       {"b/2.jsonl", "b/deep/1.jsonl", "a.jsonl", "b/notes.md", "b/.part.jsonl", ".hidden/3.jsonl"})
    write(folder / name, "");

  EXPECT_EQ(data_files(folder / "a.jsonl", is_jsonl), std::vector{folder / "a.jsonl"});
  EXPECT_EQ(data_files(folder / "b/notes.md", is_jsonl), std::vector{folder / "b/notes.md"});
  EXPECT_EQ(data_files(folder.str(), is_jsonl),
            (std::vector{folder / "a.jsonl", folder / "b/2.jsonl", folder / "b/deep/1.jsonl"}));
  EXPECT_EQ(data_files(folder / "*/[0-9].jsonl", is_jsonl), std::vector{folder / "b/2.jsonl"});
  EXPECT_NE(
      refusal([&] { data_files(folder / "c.jsonl", is_jsonl); }).find("there is no such data file"),
      std::string::npos);
  EXPECT_NE(
      refusal([&] { data_files(folder / "c*", is_jsonl); }).find("no file matches this pattern"),
      std::string::npos);
  EXPECT_NE(refusal([&] {
              data_files(folder / "b/deep", [](const std::string&) { return false; });
            }).find("none of the 1 files"),
            std::string::npos);
}

TEST(SampleText, WordsAreLettersAndDigitsInLowerCase) {
  EXPECT_EQ(words_of("The  cat's 2nd-best Über"), words_of("the cat S, 2ND (best) Über"));
  EXPECT_EQ(words_of("a b c").size(), 3u);
  EXPECT_EQ(words_of(" .,! ").size(), 0u);
  EXPECT_EQ(ngrams_of(words_of("a b c d"), 3).size(), 2u);
  EXPECT_NE(ngrams_of(words_of("a b c"), 3), ngrams_of(words_of("c b a"), 3));
}

TEST(SampleText, KeysTellContentFromJudgement) {
  const auto pair = [](const std::string& chosen, const std::string& rejected) {
    SampleBuilder made;
    made.prompt_turns(1);
    for (const std::string& answer : {chosen, rejected})
      made.add({.messages = {{"user", "Why?"}, {"assistant", answer}}});
    return made;
  };
  const SampleBuilder one = pair("So.", "No."), turned = pair("No.", "So."),
                      other = pair("So.", "Oh.");

  EXPECT_EQ(content_key(one.c()), content_key(turned.c()));
  EXPECT_NE(judgement_key(one.c()), judgement_key(turned.c()));
  EXPECT_NE(content_key(one.c()), content_key(other.c()));
  EXPECT_EQ(prompt_key(one.c()), prompt_key(other.c()));
}

class FilterTest : public ::testing::Test {
 protected:
  SampleSources sources(const std::vector<Rows>& of) {
    SampleSources made;
    for (const Rows& rows : of) made.push_back(std::make_unique<FakeSamples>(rows));
    return made;
  }
  HeldoutItems heldout(const Rows& rows, size_t n) {
    HeldoutItems items(n);
    FakeSamples source(rows);
    items.add(source);
    return items;
  }
  static std::string left(const SampleSources& sources) {
    std::string all;
    for (const auto& source : sources) {
      for (int64_t i = 0; i < source->size(); ++i)
        all += turn_text(source->at(i).c().views[0].turns[0]) + "|";
      all += "/";
    }
    return all;
  }
};

TEST_F(FilterTest, LaterCopiesAreLeftOutOfAllSources) {
  SampleSources all =
      sources({{{"a", "1"}, {"b", "1"}, {"a", "1"}, {"a", "2"}}, {{"b", "1"}, {"c", "1"}}});
  const std::string digest = all[1]->digest();

  const Json found = filter_samples(all, HeldoutItems(13), {.drop_duplicates = true});

  EXPECT_EQ(found["duplicates"], 2);
  EXPECT_EQ(left(all), "a|b|a|/c|/");
  EXPECT_EQ(all[1]->describe(0), "fake.jsonl row 2");
  EXPECT_NE(all[1]->digest(), digest);
}

TEST_F(FilterTest, WordsOfHeldoutItemsAreFound) {
  const Rows test = {{"How many apples does Ann have if she buys six and eats two?", "4"},
                     {"Name the capital of Peru.", "Lima"}};
  const Rows train = {{"Tell me: how many APPLES does Ann have, if she buys seven?", "5"},
                      {"name the capital of peru", "Lima"},
                      {"Name the capital of Chile.", "Santiago"},
                      {"What is left?", "Ann said: does Ann have if she buys six"}};
  SampleSources all = sources({train});

  const Json found = filter_samples(all, heldout(test, 8), {.contaminated = "drop"});

  // Eight words of the first item; the second whole, which has five. Row 4 has seven of the first.
  EXPECT_EQ(found["contaminated"], 2);
  EXPECT_EQ(left(all), "Name the capital of Chile.|What is left?|/");
  EXPECT_EQ(found["examples"][1], "fake.jsonl row 2 holds words of fake.jsonl row 2");
}

TEST_F(FilterTest, ContaminatedSamplesAreRefusedDroppedOrReported) {
  const Rows test = {{"one two three four five six", "x"}};
  SampleSources all = sources({{{"zero one two three four five six", "y"}, {"another", "z"}}});

  EXPECT_EQ(refusal([&] { filter_samples(all, heldout(test, 6), {}); }),
            "1 training samples hold words of held-out items\n  fake.jsonl row 1 holds words of "
            "fake.jsonl row 1\n"
            "  = help: contaminated = \"drop\" in [data] leaves them out, \"report\" keeps and "
            "counts them");
  all = sources({{{"zero one two three four five six", "y"}, {"another", "z"}}});
  EXPECT_EQ(filter_samples(all, heldout(test, 6), {.contaminated = "report"})["contaminated"], 1);
  EXPECT_EQ(left(all), "zero one two three four five six|another|/");
  all = sources({{{"zero one two three four five six", "y"}}});
  EXPECT_NE(refusal([&] {
              filter_samples(all, heldout(test, 6), {.contaminated = "drop"});
            }).find("no training sample is left"),
            std::string::npos);
}

}  // namespace
}  // namespace attune::testing
