// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "support/plugin_under_test.h"

using namespace attune;
using namespace attune::testing;
namespace fs = std::filesystem;

namespace {

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "tensorboard_XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  std::string path() const { return path_.string(); }
  /// In the order of their names.
  std::set<fs::path> files() const {
    std::set<fs::path> found;
    for (const auto& entry : fs::directory_iterator(path_)) found.insert(entry.path());
    return found;
  }

 private:
  fs::path path_;
};

class Tracker {
 public:
  explicit Tracker(const std::string& folder)
      : plugin_("tensorboard", "tracker/1", "tensorboard", {{"folder", folder}}) {}
  void log(int64_t step, double wall_time, const Json& metrics) {
    Arena arena;
    const attune_value map = to_value(metrics, arena);
    plugin_.check(plugin_->log(plugin_.self(), step, wall_time, &map));
  }

 private:
  PluginUnderTest<attune_tracker> plugin_;
};

// A decoder of its own, bit by bit, after the format's description.

uint32_t slow_crc32c(const std::string& bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int i = 0; i < 8; ++i) crc = (crc & 1) ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
  }
  return crc ^ 0xFFFFFFFF;
}

uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8; }

template <typename T>
T take(std::string& bytes) {
  T value;
  if (bytes.size() < sizeof(T)) throw std::runtime_error("the file ends early");
  std::memcpy(&value, bytes.data(), sizeof(T));
  bytes.erase(0, sizeof(T));
  return value;
}

std::string take(std::string& bytes, size_t size) {
  if (bytes.size() < size) throw std::runtime_error("the file ends early");
  const std::string taken = bytes.substr(0, size);
  bytes.erase(0, size);
  return taken;
}

uint64_t take_varint(std::string& bytes) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const uint8_t byte = take<uint8_t>(bytes);
    value |= uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
}

/// A message as JSON, by the schema of event files: fields are known by number.
Json decode(std::string bytes, const Json& schema) {
  Json made = Json::object();
  while (!bytes.empty()) {
    const uint64_t tag = take_varint(bytes);
    const Json& known = schema.at(std::to_string(tag >> 3));
    Json value;
    switch (tag & 7) {
      case 0:
        value = static_cast<int64_t>(take_varint(bytes));
        break;
      case 1:
        value = take<double>(bytes);
        break;
      case 5:
        value = take<float>(bytes);
        break;
      case 2: {
        const std::string inner = take(bytes, take_varint(bytes));
        value = known.contains("of") ? decode(inner, known["of"]) : Json(inner);
        break;
      }
      default:
        throw std::runtime_error("wire type");
    }
    if (known.contains("repeated")) {
      made[known["name"].get<std::string>()].push_back(value);
    } else {
      made[known["name"].get<std::string>()] = value;
    }
  }
  return made;
}

std::vector<Json> events(const fs::path& path) {
  static const Json schema = Json::parse(R"({
    "1": {"name": "time"}, "2": {"name": "step"}, "3": {"name": "version"},
    "5": {"name": "summary", "of": {"1": {"name": "value", "repeated": 1, "of": {"1": {"name": "tag"}, "2": {"name": "number"}}}}},
    "7": {"name": "session", "of": {"1": {"name": "status"}}}})");
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<Json> found;
  while (!bytes.empty()) {
    const std::string length = bytes.substr(0, 8);
    const uint64_t size = take<uint64_t>(bytes);
    EXPECT_EQ(take<uint32_t>(bytes), masked(slow_crc32c(length)));
    const std::string event = take(bytes, size);
    EXPECT_EQ(take<uint32_t>(bytes), masked(slow_crc32c(event)));
    found.push_back(decode(event, schema));
  }
  return found;
}

Json scalar(int64_t step, double time, const std::string& tag, double value) {
  return {{"time", time},
          {"step", step},
          {"summary", {{"value", {{{"tag", tag}, {"number", value}}}}}}};
}

Json start(int64_t step, double time) {
  return {{"time", time}, {"step", step}, {"session", {{"status", 1}}}};
}

}  // namespace

TEST(Tensorboard, ChecksItselfByTheKnownCrc) {
  EXPECT_EQ(slow_crc32c("123456789"), 0xE3069283);  // the check value of CRC-32C
}

TEST(Tensorboard, BeginsAFileWithItsVersion) {
  const Folder folder;
  Tracker tracker(folder.path());

  ASSERT_EQ(folder.files().size(), 1u);
  EXPECT_EQ(folder.files().begin()->filename().string().find("events.out.tfevents."), 0u);
  const std::vector<Json> found = events(*folder.files().begin());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0]["version"], "brain.Event:2");
}

TEST(Tensorboard, WritesEachMetricAsAScalar) {
  const Folder folder;
  Tracker tracker(folder.path());

  tracker.log(1, 1700000000.25, {{"loss", 0.5}, {"train/tokens", 300}, {"done", true}});

  // No close and no destruction: the record is there when the call returns.
  const std::vector<Json> found = events(*folder.files().begin());
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[1], Json::parse(R"({"time": 1700000000.25, "step": 1, "summary": {"value": [
      {"tag": "loss", "number": 0.5}, {"tag": "train/tokens", "number": 300.0}, {"tag": "done", "number": 1.0}]}})"));
}

TEST(Tensorboard, KeepsLargeStepsAndLongNames) {
  const Folder folder;
  Tracker tracker(folder.path());
  const std::string name(300, 'x');

  tracker.log(int64_t{1} << 40, 2, {{name, -1.5}});

  EXPECT_EQ(events(*folder.files().begin()).at(1), scalar(int64_t{1} << 40, 2, name, -1.5));
}

TEST(Tensorboard, SaysThatItStartsAgainWhenAStepGoesBack) {
  const Folder folder;
  Tracker tracker(folder.path());

  for (const int step : {1, 2, 2, 3, 2}) tracker.log(step, step, {{"loss", 1}});

  const std::vector<Json> found = events(*folder.files().begin());
  const std::vector<Json> expected{found[0],
                                   scalar(1, 1, "loss", 1),
                                   scalar(2, 2, "loss", 1),
                                   scalar(2, 2, "loss", 1),
                                   scalar(3, 3, "loss", 1),
                                   start(2, 2),
                                   scalar(2, 2, "loss", 1)};
  EXPECT_EQ(found, expected);
}

TEST(Tensorboard, ContinuesAFolderInAFileThatSortsLast) {
  const Folder folder;
  Tracker(folder.path()).log(5, 1, {{"loss", 1}});
  Tracker(folder.path()).log(3, 2, {{"loss", 2}});
  Tracker(folder.path()).log(9, 3, {{"loss", 3}});

  ASSERT_EQ(folder.files().size(), 3u);
  const std::set<fs::path> files = folder.files();
  std::vector<Json> last;
  for (const fs::path& path : files) {
    const std::vector<Json> found = events(path);
    last.insert(last.end(), found.begin() + 1, found.end());
  }
  EXPECT_EQ(last, (std::vector<Json>{scalar(5, 1, "loss", 1), start(3, 2), scalar(3, 2, "loss", 2),
                                     start(9, 3), scalar(9, 3, "loss", 3)}));
}

TEST(Tensorboard, MakesTheFolder) {
  const Folder folder;
  Tracker tracker(folder.path() + "/a/b");

  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path() + "/a/b"), {}), 1);
}

TEST(Tensorboard, NamesWhatIsWrong) {
  const Folder folder;
  Tracker tracker(folder.path());
  const auto why = [](const std::function<void()>& action) -> std::string {
    try {
      action();
    } catch (const PluginFailure& failure) {
      return failure.what();
    }
    return "";
  };

  EXPECT_EQ(why([&] {
              tracker.log(1, 1, {{"loss", "low"}});
            }),
            "`loss`: expected a number, found a string");
  EXPECT_NE(
      why([] { Tracker("/dev/null/x"); }).find("tensorboard: cannot make the folder /dev/null/x"),
      std::string::npos);
}
