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
  explicit File(const std::string& bytes) {
    std::string name = (fs::temp_directory_path() / "jsonl_XXXXXX").string();
    const int file = mkstemp(name.data());
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
  explicit Reader(const std::string& path, int64_t max_bytes = 1 << 20)
      : plugin_("jsonl", "reader/1", "jsonl", {{"path", path}, {"max_bytes", max_bytes}}) {}

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

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string made(text.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(made.data());
  stream.avail_out = static_cast<uInt>(made.size());
  deflate(&stream, Z_FINISH);
  made.resize(made.size() - stream.avail_out);
  deflateEnd(&stream);
  return made;
}

}  // namespace

TEST(Jsonl, ReadsRecordsHoweverLinesEnd) {
  const char* rows[] = {
      "{\"a\":1}\n{\"a\":2}\n",           "{\"a\":1}\n{\"a\":2}",
      "{\"a\":1}\r\n{\"a\":2}\r\n",       "\n\n{\"a\":1}\n \t\r\n{\"a\":2}\n\n",
      "\xEF\xBB\xBF{\"a\":1}\n{\"a\":2}", "  {\"a\":1}  \n\t{\"a\":2}\t",
  };
  for (const char* row : rows) {
    const File file(row);
    Reader reader(file.path());

    EXPECT_EQ(reader.count(), 2) << row;
    EXPECT_EQ(reader.read(), Json::parse(R"([{"a":1},{"a":2}])")) << row;
  }
}

TEST(Jsonl, HasNoRecordsInAnEmptyFile) {
  for (const char* text : {"", "\n", "  \r\n\n", "\xEF\xBB\xBF"}) {
    const File file(text);
    Reader reader(file.path());

    EXPECT_EQ(reader.count(), 0);
    EXPECT_EQ(reader.read(), Json::array());
  }
}

TEST(Jsonl, ReadsAnyRangeByIndex) {
  const File file("{\"i\":0}\n\n{\"i\":1}\n{\"i\":2}\n{\"i\":3}");
  Reader reader(file.path());

  EXPECT_EQ(reader.read(2, 1), Json::parse(R"([{"i":2}])"));
  EXPECT_EQ(reader.read(1, 2), Json::parse(R"([{"i":1},{"i":2}])"));
  EXPECT_EQ(reader.read(3, 10), Json::parse(R"([{"i":3}])"));
  EXPECT_EQ(reader.read(4, 1), Json::array());
  EXPECT_EQ(reader.read(0, 0), Json::array());
}

TEST(Jsonl, KeepsTypesAndOrder) {
  const std::string line =
      R"({"z":null,"y":true,"x":-7,"w":1.5,"v":"ü\n🙂\u0000","u":[1,[2],{}],"t":{"b":1,"a":2},"":0})";
  const File file(line);

  EXPECT_EQ(Reader(file.path()).read()[0].dump(), Json::parse(line).dump());
}

TEST(Jsonl, TurnsIntegersBeyond64BitsIntoFloats) {
  const File file(
      R"({"a":9223372036854775807,"b":9223372036854775808,"c":-9223372036854775808,"d":123456789012345678901234567890})");

  const Json record = Reader(file.path()).read()[0];

  EXPECT_TRUE(record["a"].is_number_integer());
  EXPECT_EQ(record["b"], Json(9223372036854775808.0));
  EXPECT_TRUE(record["b"].is_number_float());
  EXPECT_TRUE(record["c"].is_number_integer());
  EXPECT_EQ(record["d"], Json(123456789012345678901234567890.0));
}

TEST(Jsonl, TakesTheLastOfTwoEqualKeys) {
  const File file(R"({"a":1,"b":2,"a":[3,3]})");

  EXPECT_EQ(Reader(file.path()).read()[0].dump(), R"({"a":[3,3],"b":2})");
}

TEST(Jsonl, NamesLineAndColumnOfABadRecord) {
  const std::pair<std::string, const char*> rows[] = {
      {"{\"a\":1}\n\n{\"a\":}\n",
       ":3:6: no valid JSON: syntax error while parsing value - unexpected '}'"},
      {"{\"a\":1",
       ":1:7: no valid JSON: syntax error while parsing object - unexpected end of input"},
      {"{\"a\":nan}",
       ":1:7: no valid JSON: syntax error while parsing value - invalid literal, at `\"a\":na`"},
      {"{\"a\":1} {}", ":1:9: no valid JSON"},
      {"{\"a\":\"b\xFF\"}", ":1:8: no valid UTF-8, found the byte 0xFF"},
      {"[1]", ":1:1: expected an object {...}, found a list"},
      {"\n\"a\"", ":2:1: expected an object {...}, found a string"},
      {"7", ":1:1: expected an object {...}, found an integer"},
      {"{\"a\":" + std::string(1000, '[') + std::string(1000, ']') + "}",
       ":1:1: nests deeper than 256 levels"},
  };
  for (const auto& [text, message] : rows) {
    const File file(text);

    const std::string found = why([&file = file] { Reader(file.path()).read(); });

    EXPECT_EQ(found.find(file.path() + message), 0u)
        << "expected: " << message << "\n   found: " << found;
  }
}

TEST(Jsonl, ReadsTheRecordsAroundABadOne) {
  const File file("{\"a\":1}\nbad\n{\"a\":3}\n");
  Reader reader(file.path());

  EXPECT_EQ(reader.count(), 3);
  EXPECT_NE(why([&] { reader.read(1, 1); }), "");
  EXPECT_EQ(reader.read(2, 1), Json::parse(R"([{"a":3}])"));
}

TEST(Jsonl, InflatesGzip) {
  const std::string text = "{\"a\":1}\n{\"a\":2}\n";
  for (const std::string& bytes :
       {gzip(text), gzip("{\"a\":1}\n") + gzip("{\"a\":2}"), gzip(text) + std::string(512, '\0')}) {
    const File file(bytes);

    EXPECT_EQ(Reader(file.path()).read(), Json::parse(R"([{"a":1},{"a":2}])"));
  }
}

TEST(Jsonl, InflatesMoreThanOneChunk) {
  std::string text;
  for (int i = 0; i < 60000; ++i) text += "{\"i\":" + std::to_string(i) + "}\n";
  const File file(gzip(text));
  Reader reader(file.path());

  EXPECT_EQ(reader.count(), 60000);
  EXPECT_EQ(reader.read(59999, 1), Json::parse(R"([{"i":59999}])"));
}

TEST(Jsonl, RefusesEveryTruncationOfGzip) {
  const std::string whole = gzip("{\"a\":1}\n{\"a\":2}\n");
  for (size_t size = 2; size < whole.size(); ++size) {
    const File file(whole.substr(0, size));

    EXPECT_NE(why([&] { Reader{file.path()}; }).find("the gzip data ends early"), std::string::npos)
        << size;
  }
}

TEST(Jsonl, NamesWhatIsWrongWithGzip) {
  std::string damaged = gzip("{\"a\":1}\n");
  damaged[damaged.size() - 8] ^= 1;  // the checksum
  const File bad(damaged), large(gzip(std::string(5000, ' ')));

  EXPECT_NE(why([&] { Reader{bad.path()}; }).find("damaged gzip data"), std::string::npos);
  EXPECT_NE(why([&] {
              Reader(large.path(), 4999);
            }).find("inflates to more than 4999 bytes; raise `max_bytes`"),
            std::string::npos);
  EXPECT_EQ(why([&] { Reader(large.path(), 5000); }), "");
}

TEST(Jsonl, NamesAFileThatIsNotThere) {
  EXPECT_EQ(why([] { Reader{"/no/such/file.jsonl"}; }),
            "/no/such/file.jsonl: cannot open it: No such file or directory");
  EXPECT_EQ(why([] { Reader{"/"}; }), "/: expected a regular file");
}

namespace {

/// Records of about a kilobyte, in all a little more than what is worth an index.
std::string large_text() {
  std::string text;
  for (int i = 0; text.size() < (17u << 20); ++i)
    text += "{\"i\":" + std::to_string(i) + ",\"t\":\"" + std::string(1000, 'x') + "\"}\n" + (i % 7 ? "" : "\n");
  return text;
}

void set_age(const std::string& path, int seconds) {
  fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::seconds(seconds));
}

std::string index_of(const std::string& path) { return path + ".index"; }

Json record(const std::string& path, int64_t i, int64_t* count = nullptr) {
  PluginUnderTest<attune_reader> plugin("jsonl", "reader/1", "jsonl", {{"path", path}, {"max_bytes", 1 << 20}, {"index", index_of(path)}});
  if (count) plugin.check(plugin->count(plugin.self(), count));
  Json found;
  const attune_value_sink sink{ATTUNE_END(attune_value_sink, emit), 0, &found,
                               [](void* context, const attune_value* value) -> int32_t {
                                 *static_cast<Json*>(context) = to_json(*value);
                                 return ATTUNE_OK;
                               }};
  plugin.check(plugin->read(plugin.self(), i, 1, &sink));
  return found;
}

}  // namespace

TEST(Jsonl, KeepsWhereTheRecordsOfALargeFileBegin) {
  const File file(large_text());
  const std::string index = index_of(file.path());
  int64_t made = 0, kept = 0;
  record(file.path(), 5, &made);
  EXPECT_FALSE(fs::exists(index)) << "the file is too young: it may change again within a tick of the clock";
  set_age(file.path(), 50);
  for (const int64_t i : {0, 1, 31, 32, 9000}) EXPECT_EQ(record(file.path(), i)["i"], i);
  ASSERT_TRUE(fs::exists(index));
  const auto written = fs::last_write_time(index);

  for (const int64_t i : {0, 1, 31, 32, 33, 9000, int(made) - 1}) EXPECT_EQ(record(file.path(), i, &kept)["i"], i);

  EXPECT_EQ(kept, made);
  EXPECT_EQ(fs::last_write_time(index), written);
  // A damaged index, or one of another file, is made anew.
  fs::resize_file(index, fs::file_size(index) - 8);
  EXPECT_EQ(record(file.path(), 9000)["i"], 9000);
  EXPECT_NE(fs::last_write_time(index), written);
  set_age(file.path(), 100);
  EXPECT_EQ(record(file.path(), 9000)["i"], 9000);
  fs::remove(index);
}
