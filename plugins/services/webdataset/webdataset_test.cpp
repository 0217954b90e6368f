// SPDX-License-Identifier: Apache-2.0
#include "support/reader_under_test.h"

using namespace attune;
using namespace attune::testing;

namespace {

/// A header block (POSIX ustar) and the file's bytes in blocks.
std::string member(const std::string& name, const std::string& data, char type = '0',
                   const std::string& prefix = "", const std::string& size = "") {
  std::string header(512, '\0');
  const auto put = [&](size_t at, const std::string& text) {
    header.replace(at, text.size(), text);
  };
  char octal[13];
  std::snprintf(octal, sizeof octal, "%011zo", data.size());
  put(0, name);
  put(100, "0000644");
  put(124, size.empty() ? std::string(octal) : size);
  put(148, "        ");
  header[156] = type;
  put(257, std::string("ustar\0"
                       "00",
                       8));
  put(345, prefix);
  unsigned sum = 0;
  for (const unsigned char byte : header) sum += byte;
  std::snprintf(octal, sizeof octal, "%06o", sum);
  put(148, std::string(octal) + std::string("\0 ", 2));
  return header + data + std::string((512 - data.size() % 512) % 512, '\0');
}

const Json kOptions = {{"max_bytes", 1 << 20}};
const std::string kEnd(1024, '\0');

std::string shard() {
  return member("./cats", "", '5') + member("cats/001.jpg", std::string("\xff\xd8\0", 3)) +
         member("cats/001.txt", "Ä cat\n") + member("cats/001.json", R"({"w": 64, "tags": []})") +
         member("README", "no record") + member("cats/.hidden.txt", "none") +
         member("cats/002.cls", " 7\n") + member("cats/002.seg.png", "") +
         member("cats/001.mask.json", "[1]") + kEnd;
}

std::string refusal(const std::string& archive) {
  const TemporaryFile file(archive);
  const std::string said =
      why([&] { ReaderUnderTest("webdataset", file.path(), kOptions).read(); });
  EXPECT_TRUE(said.starts_with(file.path() + ": ")) << said;
  return said;
}

}  // namespace

TEST(WebDataset, FilesWithOneBaseNameAreARecord) {
  const TemporaryFile file(shard());
  ReaderUnderTest reader("webdataset", file.path(), kOptions);

  EXPECT_EQ(reader.count(), 2);
  EXPECT_EQ(reader.read().dump(), Json::parse(R"([
      {"__key__": "cats/001", "jpg": {"hex": "ffd800"}, "txt": "Ä cat\n",
       "json": {"w": 64, "tags": []}, "mask.json": [1]},
      {"__key__": "cats/002", "cls": 7, "seg.png": {"hex": ""}}])")
                                      .dump());
  EXPECT_EQ(reader.read(1, 3)[0]["cls"], 7);
}

TEST(WebDataset, FollowsLongNamesOfEveryKind) {
  const std::string folder(120, 'd'), name = folder + "/1.txt";
  // "LENGTH path=NAME\n": three digits, a blank and the line's end count too.
  const std::string record = std::to_string(name.size() + 10) + " path=" + name + "\n";
  const std::string archives[] = {
      member("1.txt", "x", '0', folder),
      member("././@LongLink", name + '\0', 'L') + member("cut", "x"),
      member("pax", "12 mtime=1.\n" + record, 'x') + member("cut", "x"),
  };
  for (const std::string& archive : archives) {
    const TemporaryFile file(archive + kEnd);
    EXPECT_EQ(ReaderUnderTest("webdataset", file.path(), kOptions).read(),
              Json::array({{{"__key__", folder + "/1"}, {"txt", "x"}}}));
  }
}

TEST(WebDataset, NeedsNoEndMark) {
  const TemporaryFile file(member("1.txt", "x"));

  EXPECT_EQ(ReaderUnderTest("webdataset", file.path(), kOptions).count(), 1);
}

TEST(WebDataset, SaysWhatIsWrongAndWhere) {
  std::string broken = shard();
  broken[512] ^= 1;
  const std::pair<std::string, const char*> rows[] = {
      {broken, "at byte 512: no tar header: its checksum does not match"},
      {"no archive", "the archive ends within a header of 512 bytes"},
      {member("1.txt", "x").substr(0, 512), "the archive ends within `1.txt` of 1 bytes"},
      {member("1.txt", "", '0', "", "77777777777"), "the archive ends within `1.txt`"},
      {member("1.txt", "", '0', "", std::string(12, '\xff')),
       "a number in the header is too large"},
      {member("1.txt", "", '0', "", "zz"), "expected octal digits in the header, found \"zz\""},
      {member("1.txt", "", '2'), "`1.txt` is a link"},
      {member("1.txt", "", 'S'), "a member of type 'S', which is not read"},
      {member("1.txt", "a") + member("1.txt", "b"), "`1.txt` is there twice"},
      {member("pax", "99 path=x\n", 'x'), "damaged pax record"},
      {member("1.json", "{\"a\":}"), "`1.json`: byte 6: no valid JSON"},
      {member("1.cls", "seven"), "`1.cls`: expected an integer"},
      {member("1.txt", "\xE4"), "`1.txt`: no valid UTF-8"},
  };
  for (const auto& [archive, expected] : rows) {
    const std::string said = refusal(archive);
    EXPECT_NE(said.find(expected), std::string::npos) << said;
  }
}

TEST(WebDataset, PrefixesAndDamageAreReadOrNamed) {
  const std::string whole = shard();
  const TemporaryFile file;
  for (size_t size = 1; size < whole.size() - kEnd.size(); size += 7) {
    file.write(whole.substr(0, size));
    reads("webdataset", file, kOptions);
  }

  EXPECT_GT(reads_damaged("webdataset", whole, 300, kOptions), 20);
}
