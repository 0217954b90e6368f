// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/samples.h"

#include <gtest/gtest.h>

#include "host/fakes.h"
#include "host/scratch_folder.h"

namespace attune::testing {
namespace {

/// A row is its number.
std::vector<int64_t>& fake_rows() {
  static std::vector<int64_t> rows;
  return rows;
}

constexpr int64_t kTorn = 1'000'000;  ///< a row that cannot be read

class NumberReader {
 public:
  explicit NumberReader(Value) {}
  int64_t count() { return static_cast<int64_t>(fake_rows().size()); }
  void read(int64_t first, int64_t n, const ValueSink& emit) {
    for (int64_t i = first; i < first + n; ++i) {
      if (fake_rows()[static_cast<size_t>(i)] == kTorn) throw Error("no JSON");
      Arena arena;
      emit(arena.map({{"number", Arena::integer(fake_rows()[static_cast<size_t>(i)])}}));
    }
  }
};

/// As many samples as the row's number; a negative one does not map.
class Repeat {
 public:
  static inline int64_t mapped = 0;
  explicit Repeat(Value) {}
  void map(Value record, const SampleSink& emit) const {
    ++mapped;
    const int64_t number = record["number"].integer();
    if (number < 0) throw Error("`number`: expected at least 0, found " + std::to_string(number));
    for (int64_t i = 0; i < number; ++i) {
      SampleBuilder sample;
      sample.add({.messages = {{"user", std::to_string(number) + "/" + std::to_string(i)}}});
      emit(sample);
    }
  }
};

/// Chosen and rejected answers to different prompts.
class UnequalPrompts {
 public:
  explicit UnequalPrompts(Value) {}
  void map(Value, const SampleSink& emit) const {
    SampleBuilder sample;
    sample.prompt_turns(1).add({.messages = {{"user", "a"}}}).add({.messages = {{"user", "b"}}});
    emit(sample);
  }
};

class SamplesTest : public ::testing::Test {
 protected:
  SamplesTest() { write(folder / "rows.jsonl", "rows"); }

  template <typename Dataset = Repeat>
  SamplePlugins plugins() {
    SamplePlugins made{{}, fake_plugin<attune_dataset>(&create_dataset<Dataset>), fake_failure("dataset \"repeat\"")};
    for (const std::string& file : files) {
      made.files.push_back({folder / file, fake_plugin<attune_reader>(&create_reader<NumberReader>), fake_failure("reader \"numbers\"")});
    }
    return made;
  }
  template <typename Dataset = Repeat>
  std::unique_ptr<SampleSource> open(std::vector<int64_t> rows, double max_dropped = 0,
                                     int64_t limit = 0) {
    fake_rows() = std::move(rows);
    return open_samples(plugins<Dataset>(), {folder / "rows.jsonl", "repeat 1", limit, max_dropped, stream, index},
                        [this](const std::vector<DroppedRow>& rows) { dropped = rows; });
  }
  std::string refusal(std::vector<int64_t> rows, double max_dropped = 0) {
    try {
      open(std::move(rows), max_dropped);
      return "";
    } catch (const ExitError& error) {
      EXPECT_EQ(error.exit(), Exit::kData);
      return error.what();
    }
  }
  static std::string text(SampleSource& source, int64_t index) {
    const SampleBuilder sample = source.at(index);
    return text_of(sample.c().views[0].turns[0], "test");
  }

  ScratchFolder folder;
  std::vector<std::string> files = {"rows.jsonl"};
  bool stream = false;
  std::filesystem::path index;
  std::vector<DroppedRow> dropped;
};

TEST_F(SamplesTest, ARowMayGiveNoneOneOrSeveralSamples) {
  const auto source = open({2, 0, 1, 3});

  ASSERT_EQ(source->size(), 6);
  std::string all;
  for (int64_t i = 0; i < 6; ++i) all += text(*source, i) + " ";
  EXPECT_EQ(all, "2/0 2/1 1/0 3/0 3/1 3/2 ");
  EXPECT_EQ(text(*source, 1), "2/1");
  EXPECT_EQ(source->describe(2), "rows.jsonl row 3");
}

TEST_F(SamplesTest, ASampleWithoutAnIdIsNamedByItsRow) {
  const auto source = open({2, 1});

  EXPECT_EQ(string(source->at(1).c().id), "1.2");
  EXPECT_EQ(string(source->at(2).c().id), "2");
}

TEST_F(SamplesTest, LimitCountsRows) { EXPECT_EQ(open({2, 2, 2}, 0, 2)->size(), 4); }

TEST_F(SamplesTest, RowsThatDoNotMapAreCountedAndTheFirstFiveNamed) {
  const std::string message = refusal({1, -1, -2, -3, -4, -5, -6, 1});

  for (const char* part :
       {"rows.jsonl: 6 of 8 rows do not map with dataset \"repeat\" (allowed: 0 %)",
        "rows.jsonl row 2: `number`: expected at least 0, found -1", "rows.jsonl row 6: ", "and 1 more",
        "max_dropped = "}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << "\n" << message;
  }
  EXPECT_EQ(message.find("row 7: "), std::string::npos) << message;
}

TEST_F(SamplesTest, TheManifestBoundsTheLoss) {
  const auto source = open({1, -1, 1, 1}, 0.25);

  EXPECT_EQ(source->size(), 3);
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_EQ(dropped[0].row, "rows.jsonl row 2");
  EXPECT_NE(refusal({1, -1, -1, 1}, 0.25), "");
}

TEST_F(SamplesTest, ARowThatCannotBeReadCountsAsOneThatDoesNotMap) {
  EXPECT_NE(refusal({1, kTorn, 1, 1}).find("rows.jsonl row 2: no JSON"), std::string::npos);
  const auto source = open({kTorn, 2, kTorn, kTorn, 1}, 0.6);

  EXPECT_EQ(source->size(), 3);
  EXPECT_EQ(dropped.size(), 3u);
  EXPECT_EQ(text(*source, 1), "2/1");
  EXPECT_EQ(source->describe(2), "rows.jsonl row 5");
}

TEST_F(SamplesTest, ManyRowsAreMappedOnceInARunsFolder) {
  index = folder / "index";
  std::vector<int64_t> rows(60'000, 1);
  rows[50'001] = -1, rows[50'002] = 3, rows[7] = 0;
  const auto first = open(rows, 0.01);
  const int64_t mapped = Repeat::mapped;

  const auto again = open(rows, 0.01);

  EXPECT_EQ(Repeat::mapped, mapped);
  EXPECT_EQ(again->size(), first->size());
  EXPECT_EQ(dropped.size(), 1u);
  for (const int64_t i : {0, 6, 7, 50'000, 50'001, 50'002, 50'003, 59'999}) {
    EXPECT_EQ(again->describe(i), first->describe(i)) << i;
    EXPECT_EQ(string(again->at(i).c().id), string(first->at(i).c().id)) << i;
  }
  EXPECT_NE(refusal(rows).find("1 of 60000 rows"), std::string::npos);
  // What was kept of another mapping, or is damaged, is not used.
  for (const auto& entry : std::filesystem::directory_iterator(index))
    if (entry.path().extension() == ".json") write(entry.path().string(), "{");
  open(rows, 0.01);
  EXPECT_GT(Repeat::mapped, mapped);
}

TEST_F(SamplesTest, NoSamplesAtAllIsAnError) {
  EXPECT_NE(refusal({0, 0}).find("has no samples: 2 rows"), std::string::npos);
  EXPECT_NE(refusal({}).find("has no samples: 0 rows"), std::string::npos);
}

TEST_F(SamplesTest, ConversationsOfASampleMustShareTheirPrompt) {
  fake_rows() = {1};

  try {
    open<UnequalPrompts>({1});
    FAIL() << "expected an error";
  } catch (const ExitError& error) {
    EXPECT_NE(std::string(error.what()).find("do not share their prompt"), std::string::npos)
        << error.what();
  }
}

TEST_F(SamplesTest, TheDigestFollowsTheFileAndTheMapping) {
  const std::string before = open({1})->digest();

  EXPECT_EQ(open({1})->digest(), before);
  EXPECT_NE(open({1}, 0, 1)->digest(), before);
  write(folder / "rows.jsonl", "other rows");
  EXPECT_NE(open({1})->digest(), before);
}

TEST_F(SamplesTest, RowsOfSeveralFilesAreJoined) {
  write(folder / "more.jsonl", "rows");
  files = {"rows.jsonl", "more.jsonl"};
  const auto source = open({1, 0, 2});

  ASSERT_EQ(source->size(), 6);
  std::string all;
  for (int64_t i = 0; i < 6; ++i) all += text(*source, i) + " ";
  EXPECT_EQ(all, "1/0 2/0 2/1 1/0 2/0 2/1 ");
  EXPECT_EQ(source->describe(2), "rows.jsonl row 3");
  EXPECT_EQ(source->describe(3), "more.jsonl row 1");
  EXPECT_EQ(open({1, 0, 2}, 0, 4)->size(), 4);
  const std::string before = source->digest();
  write(folder / "more.jsonl", "other");
  EXPECT_NE(open({1, 0, 2})->digest(), before);
}

TEST_F(SamplesTest, AStreamMapsARowWhenItsTurnComes) {
  stream = true;
  const auto source = open({1, -1, 2, 1});
  const auto why = [&](int64_t index) -> std::string {
    try {
      source->at(index);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };

  EXPECT_EQ(source->size(), 4);
  EXPECT_EQ(text(*source, 3), "1/0");
  EXPECT_EQ(string(source->at(3).c().id), "4");
  EXPECT_NE(why(1).find("found -1"), std::string::npos) << why(1);
  EXPECT_EQ(why(2), "gives 2 samples, and in a stream each row must give one; take out stream = true");
  EXPECT_EQ(source->describe(3), "rows.jsonl row 4");
}

TEST_F(SamplesTest, FirstRowsAreTriedWithoutTheRest) {
  fake_rows() = {1, 2, -1, -1};
  SamplePlugins tried = plugins();

  const FirstRows found = map_first_rows(tried, 3);

  EXPECT_EQ(found.rows, 3);
  EXPECT_EQ(found.samples, 3);
  EXPECT_EQ(found.dropped.size(), 1u);
}

}  // namespace
}  // namespace attune::testing
