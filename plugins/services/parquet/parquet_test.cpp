// SPDX-License-Identifier: Apache-2.0
// Fixtures and what their records must be: tests/reference/readers/make.py.
#include <gtest/gtest.h>

#include <atomic>
#include <sstream>
#include <thread>

#include "support/reader_under_test.h"

using namespace attune;
using namespace attune::testing;

namespace {

std::string fixture(const std::string& name) {
  return std::string(ATTUNE_SOURCE_DIR) + "/tests/reference/readers/" + name;
}

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  EXPECT_TRUE(in.good()) << path;
  return bytes.str();
}

const Json kAll = {{"columns", Json::array()}};

ReaderUnderTest open(const std::string& path, const Json& columns = Json::array()) {
  return ReaderUnderTest("parquet", path, {{"columns", columns}});
}

/// Row i of pages.parquet.
Json page_row(int64_t i) {
  Json list = Json::array();
  for (int64_t k = 0; k < i % 4; ++k) list.push_back(k);
  return {{"i", i}, {"list", list}};
}

}  // namespace

TEST(Parquet, GivesTheRecordsThatTheScriptWroteDown) {
  for (const std::string name : {"scalars", "nested", "dictionary", "groups", "plain", "empty"}) {
    ReaderUnderTest reader = open(fixture(name + ".parquet"));
    const Json expected = Json::parse(bytes_of(fixture(name + ".json")));

    EXPECT_EQ(reader.count(), static_cast<int64_t>(expected.size())) << name;
    const Json found = reader.read();
    ASSERT_EQ(found.size(), expected.size()) << name;
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_EQ(found[i].dump(), expected[i].dump()) << name << " row " << i;
  }
}

TEST(Parquet, ReadsAnyRangeAcrossRowGroupsAndBatches) {
  ReaderUnderTest groups = open(fixture("groups.parquet")), pages = open(fixture("pages.parquet"));
  const Json all = groups.read();

  for (int64_t first = 39; first >= 0; --first) {
    for (const int64_t n : {0, 1, 4, 100}) {
      Json expected = Json::array();
      for (int64_t i = first; i < std::min<int64_t>(first + n, 40); ++i) expected.push_back(all[i]);
      EXPECT_EQ(groups.read(first, n), expected) << first << " " << n;
    }
  }
  EXPECT_EQ(pages.count(), 2500);
  for (const int64_t first : {2400, 1020, 0, 1500, 1023, 2047, 2048, 511}) {
    Json expected = Json::array();
    for (int64_t i = first; i < first + 90; ++i) expected.push_back(page_row(i));
    EXPECT_EQ(pages.read(first, 90), expected) << first;
  }
  EXPECT_EQ(groups.read(40, 1), Json::array());
  EXPECT_NE(why([&] { groups.read(-1, 1); }).find("no record -1"), std::string::npos);
}

TEST(Parquet, ThreadsMayReadOneFileTogether) {
  ReaderUnderTest reader = open(fixture("pages.parquet"));
  std::atomic<int> wrong = 0;

  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      std::minstd_rand dice(seed);
      for (int i = 0; i < 100; ++i) {
        const int64_t row = dice() % 2500;
        if (reader.read(row, 1)[0] != page_row(row)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(wrong, 0);
}

TEST(Parquet, ReadsOnlyTheColumnsAskedFor) {
  ReaderUnderTest reader = open(fixture("scalars.parquet"), {"string", "int8"});

  EXPECT_EQ(reader.read(0, 1).dump(), R"([{"int8":-128,"string":""}])");
  const std::string said = why([] { open(fixture("plain.parquet"), {"text", "texts"}); });
  EXPECT_NE(
      said.find("plain.parquet: option `columns`: no column `texts`; there are i, text, list"),
      std::string::npos)
      << said;
}

TEST(Parquet, StopsWhenTheSinkWantsNoMore) {
  PluginUnderTest<attune_reader> plugin("parquet", "reader/1", "parquet",
                                        {{"path", fixture("plain.parquet")}});
  int seen = 0;
  const attune_value_sink sink{ATTUNE_END(attune_value_sink, emit), 0, &seen,
                               [](void* context, const attune_value*) -> int32_t {
                                 return ++*static_cast<int*>(context) == 2 ? ATTUNE_E_CANCELLED
                                                                           : ATTUNE_OK;
                               }};

  EXPECT_EQ(plugin->read(plugin.self(), 0, 5, &sink), ATTUNE_E_CANCELLED);
  EXPECT_EQ(seen, 2);
}

TEST(Parquet, NamesAFileThatIsNone) {
  const TemporaryFile text;
  text.write("{\"a\": 1}\n{\"a\": 2}\n");

  EXPECT_NE(why([] { open("/no/such.parquet"); }).find("/no/such.parquet: cannot open it"),
            std::string::npos);
  EXPECT_NE(why([] { open("/tmp"); }).find("/tmp: expected a regular file"), std::string::npos);
  EXPECT_NE(why([&] { open(text.path()); }).find("arquet"), std::string::npos);
}

TEST(Parquet, RefusesEveryPrefixOfAFile) {
  const std::string whole = bytes_of(fixture("plain.parquet"));
  const TemporaryFile file;

  for (size_t size = 0; size < whole.size(); ++size) {
    file.write(whole.substr(0, size));
    EXPECT_FALSE(reads("parquet", file, kAll)) << size << " bytes";
  }
  file.write(whole);
  EXPECT_TRUE(reads("parquet", file, kAll));
}

TEST(Parquet, ADamagedFileIsReadOrNamedAndNeverACrash) {
  int read = 0;
  for (const std::string name : {"scalars", "nested", "dictionary", "groups", "plain"}) {
    read += reads_damaged("parquet", bytes_of(fixture(name + ".parquet")), 120, kAll);
  }
  EXPECT_GT(read, 20);
  EXPECT_LT(read, 500);
}
