// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <functional>

#include "support/plugin_under_test.h"

using namespace attune;
using namespace attune::testing;
namespace fs = std::filesystem;

namespace {

class File {
 public:
  explicit File(const std::string& bytes, const std::string& suffix = ".csv") {
    std::string name = (fs::temp_directory_path() / ("csv_XXXXXX" + suffix)).string();
    const int file = mkstemps(name.data(), static_cast<int>(suffix.size()));
    path_ = name;
    EXPECT_EQ(write(file, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    close(file);
  }
  ~File() { fs::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

class Reader {
 public:
  explicit Reader(const File& file, const std::string& delimiter = "")
      : plugin_("csv", "reader/1", "csv",
                {{"path", file.path()}, {"delimiter", delimiter}, {"max_bytes", 1 << 20}}) {}

  int64_t count() {
    int64_t records = -1;
    plugin_.check(plugin_->count(plugin_.self(), &records));
    return records;
  }
  Json read(int64_t first = 0, int64_t n = INT64_MAX) {
    Json records = Json::array();
    const attune_value_sink sink{ATTUNE_END(attune_value_sink, emit), 0, &records,
                                 [](void* context, const attune_value* value) -> int32_t {
                                   static_cast<Json*>(context)->push_back(to_json(*value));
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

}  // namespace

TEST(Csv, ReadsFieldsByTheHeader) {
  const std::pair<const char*, const char*> rows[] = {
      {"a,b\n1,2\n", R"([{"a":"1","b":"2"}])"},
      {"a,b\n1,2", R"([{"a":"1","b":"2"}])"},
      {"a,b\r\n1,2\r\n", R"([{"a":"1","b":"2"}])"},
      {"\xEF\xBB\xBF"
       "a,b\n1,2\n",
       R"([{"a":"1","b":"2"}])"},
      {"\n\na,b\n\r\n1,2\n\n", R"([{"a":"1","b":"2"}])"},
      {"a,b\n,\n", R"([{"a":"","b":""}])"},
      {"a,b\n 1 , 2 \n", R"([{"a":" 1 ","b":" 2 "}])"},
      {"a,b\n\"1\",\"\"\n", R"([{"a":"1","b":""}])"},
      {"a,b\n\"x, y\",\"say \"\"hi\"\"\"\n", R"([{"a":"x, y","b":"say \"hi\""}])"},
      {"a,b\n\"\"\"\",\"\"\"\"\"\"\n", R"([{"a":"\"","b":"\"\""}])"},
      {"a,b\n\"one\ntwo\r\nthree\",4\n5,6\n",
       R"([{"a":"one\ntwo\r\nthree","b":"4"},{"a":"5","b":"6"}])"},
      {"\"a \"\"x\"\"\",\"b\nc\"\n1,2\n", R"([{"a \"x\"":"1","b\nc":"2"}])"},
      {"a\nü 🙂\n", R"([{"a":"ü 🙂"}])"},
      {"a,b\n", "[]"},
  };
  for (const auto& [text, expected] : rows) {
    const File file(text);

    EXPECT_EQ(Reader(file).read(), Json::parse(expected)) << text;
  }
}

TEST(Csv, ReadsAnyRangeByIndex) {
  const File file("i\n0\n\"1\n1\"\n2\n3\n");
  Reader reader(file);

  EXPECT_EQ(reader.count(), 4);
  EXPECT_EQ(reader.read(1, 2), Json::parse(R"([{"i":"1\n1"},{"i":"2"}])"));
  EXPECT_EQ(reader.read(3, 9), Json::parse(R"([{"i":"3"}])"));
  EXPECT_EQ(reader.read(4, 1), Json::array());
}

TEST(Csv, SeparatesByTheSuffixUnlessTold) {
  const std::string tabs = "a\tb,c\n1\t2,3\n";

  EXPECT_EQ(Reader(File(tabs, ".tsv")).read(), Json::parse(R"([{"a":"1","b,c":"2,3"}])"));
  EXPECT_EQ(Reader(File("a;b\n1;2\n"), ";").read(), Json::parse(R"([{"a":"1","b":"2"}])"));
  EXPECT_NE(
      why([] { Reader(File("a\n"), "||"); }).find("`delimiter`: expected one ASCII character"),
      std::string::npos);
}

TEST(Csv, NamesTheLineOfABadRow) {
  const std::pair<std::string, const char*> rows[] = {
      {"a,b\n1,2\n1,2,3\n", ":3: expected 2 fields, as in the header, found 3"},
      {"a,b\n\"x\ny\",1\n1\n", ":4: expected 2 fields, as in the header, found 1"},
      {"a,b\n1,2\n3,5\" disk\n", ":3: a quote inside a field that does not begin with one"},
      {"a,b\n\"x\ny\" z,2\n", ":3: expected the field to end behind its closing quote"},
      {"a,b\n1,2\n3,\"4\n5,6\n", ":3: this quote is never closed"},
      {"a,b\n1,\xFF\n", ":2: no valid UTF-8, found the byte 0xFF"},
      {"a,b\n1,\xED\xA0\x80\n", ":2: no valid UTF-8, found the byte 0xED"},
      {"a,b,a\n", ": columns 1 and 3 are both named \"a\""},
      {"", ": expected a header row, found an empty file"},
      {"\n\r\n", ": expected a header row, found an empty file"},
  };
  for (const auto& [text, message] : rows) {
    const File file(text);

    const std::string found = why([&file = file] { Reader(file).read(); });

    EXPECT_EQ(found.find(file.path() + message), 0u)
        << "expected: " << message << "\n   found: " << found;
  }
}

TEST(Csv, ReadsTheRowsAroundABadOne) {
  const File file("a,b\n1,2\nbad\n3,4\n");
  Reader reader(file);

  EXPECT_EQ(reader.count(), 3);
  EXPECT_NE(why([&] { reader.read(1, 1); }), "");
  EXPECT_EQ(reader.read(2, 1), Json::parse(R"([{"a":"3","b":"4"}])"));
}

TEST(Csv, InflatesGzip) {
  const File file("", ".csv.gz");
  gzFile writer = gzopen(file.path().c_str(), "wb");
  gzputs(writer, "a,b\n1,2\n");
  gzclose(writer);

  EXPECT_EQ(Reader(file).read(), Json::parse(R"([{"a":"1","b":"2"}])"));
}
