// SPDX-License-Identifier: Apache-2.0
// Fixtures and what their records must be: tests/reference/readers/make.py.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>
#include <thread>

#include "support/plugin_under_test.h"

using namespace attune;
using namespace attune::testing;
namespace fs = std::filesystem;

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

/// As the script writes records down: bytes are {"hex": "..."}.
Json plain(const attune_value& value) {
  if (value.type == ATTUNE_LIST || value.type == ATTUNE_MAP) {
    Json made = value.type == ATTUNE_LIST ? Json::array() : Json::object();
    for (size_t i = 0; i < value.n_items; ++i) {
      const Json item = plain(value.items[i]);
      value.keys ? void(made[string(value.keys[i])] = item) : made.push_back(item);
    }
    return made;
  }
  if (value.type != ATTUNE_BYTES) return to_json(value);
  std::string hex;
  for (const unsigned char byte : view(value.text)) {
    for (const int digit : {byte >> 4, byte & 15}) hex += "0123456789abcdef"[digit];
  }
  return {{"hex", hex}};
}

class Reader {
 public:
  explicit Reader(const std::string& path, const Json& columns = Json::array())
      : plugin_("parquet", "reader/1", "parquet", {{"path", path}, {"columns", columns}}) {}

  int64_t count() {
    int64_t records = -1;
    plugin_.check(plugin_->count(plugin_.self(), &records));
    return records;
  }
  Json read(int64_t first = 0, int64_t n = INT64_MAX) {
    Json records = Json::array();
    const attune_value_sink sink{ATTUNE_END(attune_value_sink, emit), 0, &records,
                                 [](void* context, const attune_value* value) -> int32_t {
                                   static_cast<Json*>(context)->push_back(plain(*value));
                                   return ATTUNE_OK;
                                 }};
    plugin_.check(plugin_->read(plugin_.self(), first, n, &sink));
    return records;
  }

 private:
  PluginUnderTest<attune_reader> plugin_;
};

std::string why(const std::function<void()>& action) {
  try {
    action();
  } catch (const PluginFailure& failure) {
    return failure.what();
  }
  return "";
}

/// Row i of pages.parquet.
Json page_row(int64_t i) {
  Json list = Json::array();
  for (int64_t k = 0; k < i % 4; ++k) list.push_back(k);
  return {{"i", i}, {"list", list}};
}

/// A file of the test's own, rewritten at will.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "parquet_XXXXXX").string();
    close(mkstemp(name.data()));
    path_ = name;
  }
  ~Scratch() { fs::remove(path_); }
  const std::string& path() const { return path_; }
  void write(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }

 private:
  std::string path_;
};

/// Whether the file reads; if it does not, the error must name it.
bool reads(const Scratch& file) {
  const std::string said = why([&] {
    Reader reader(file.path());
    reader.read(0, std::min<int64_t>(reader.count(), 4096));
  });
  EXPECT_TRUE(said.empty() || said.starts_with(file.path() + ": ")) << said;
  return said.empty();
}

}  // namespace

TEST(Parquet, GivesTheRecordsThatTheScriptWroteDown) {
  for (const std::string name : {"scalars", "nested", "dictionary", "groups", "plain", "empty"}) {
    Reader reader(fixture(name + ".parquet"));
    const Json expected = Json::parse(bytes_of(fixture(name + ".json")));

    EXPECT_EQ(reader.count(), static_cast<int64_t>(expected.size())) << name;
    const Json found = reader.read();
    ASSERT_EQ(found.size(), expected.size()) << name;
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_EQ(found[i].dump(), expected[i].dump()) << name << " row " << i;
  }
}

TEST(Parquet, ReadsAnyRangeAcrossRowGroupsAndBatches) {
  Reader groups(fixture("groups.parquet")), pages(fixture("pages.parquet"));
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
  Reader reader(fixture("pages.parquet"));
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
  Reader reader(fixture("scalars.parquet"), {"string", "int8"});

  EXPECT_EQ(reader.read(0, 1).dump(), R"([{"int8":-128,"string":""}])");
  const std::string said = why([] { Reader(fixture("plain.parquet"), {"text", "texts"}); });
  EXPECT_NE(said.find("plain.parquet: option `columns`: no column `texts`; there are i, text, list"),
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
  const Scratch text;
  text.write("{\"a\": 1}\n{\"a\": 2}\n");

  EXPECT_NE(why([] { Reader("/no/such.parquet"); }).find("/no/such.parquet: cannot open it"),
            std::string::npos);
  EXPECT_NE(why([] { Reader("/tmp"); }).find("/tmp: expected a regular file"), std::string::npos);
  EXPECT_NE(why([&] { Reader(text.path()); }).find("arquet"), std::string::npos);
}

TEST(Parquet, RefusesEveryPrefixOfAFile) {
  const std::string whole = bytes_of(fixture("plain.parquet"));
  const Scratch file;

  for (size_t size = 0; size < whole.size(); ++size) {
    file.write(whole.substr(0, size));
    EXPECT_FALSE(reads(file)) << size << " bytes";
  }
  file.write(whole);
  EXPECT_TRUE(reads(file));
}

TEST(Parquet, ADamagedFileIsReadOrNamedAndNeverACrash) {
  const Scratch file;
  std::minstd_rand dice(1);
  int refused = 0, read = 0;
  for (const std::string name : {"scalars", "nested", "dictionary", "groups", "plain"}) {
    const std::string whole = bytes_of(fixture(name + ".parquet"));
    for (int i = 0; i < 120; ++i) {
      std::string damaged = whole;
      for (int flips = 1 + dice() % 4; flips > 0; --flips) {
        damaged[dice() % damaged.size()] ^= static_cast<char>(1 << dice() % 8);
      }
      file.write(damaged);
      ++(reads(file) ? read : refused);
    }
  }

  EXPECT_GT(refused, 100);
  EXPECT_GT(read, 20);
}
