// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>

#include "support/plugin_under_test.h"

namespace attune::testing {

/// A file that goes with the test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& bytes = "") {
    std::string name = (std::filesystem::temp_directory_path() / "reader_XXXXXX").string();
    ::close(::mkstemp(name.data()));
    path_ = name;
    write(bytes);
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }
  void write(const std::string& bytes) const { std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes; }

 private:
  std::string path_;
};

/// A record as JSON, bytes as {"hex": "..."}.
inline Json plain(const attune_value& value) {
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

/// A built reader plugin whose library has the reader's name. Calls throw PluginFailure.
class ReaderUnderTest {
 public:
  ReaderUnderTest(const std::string& name, const std::string& path, Json options = Json::object())
      : plugin_(name, "reader/1", name, with(std::move(options), path)) {}

  int64_t count() {
    int64_t records = -1;
    plugin_.check(plugin_->count(plugin_.self(), &records));
    return records;
  }
  Json read(int64_t first = 0, int64_t n = INT64_MAX) {
    Json records = Json::array();
    const attune_value_sink sink{ATTUNE_END(attune_value_sink, emit), 0, &records, [](void* context, const attune_value* value) -> int32_t {
                                   static_cast<Json*>(context)->push_back(plain(*value));
                                   return ATTUNE_OK;
                                 }};
    plugin_.check(plugin_->read(plugin_.self(), first, n, &sink));
    return records;
  }

 private:
  static Json with(Json options, const std::string& path) {
    options["path"] = path;
    return options;
  }

  PluginUnderTest<attune_reader> plugin_;
};

/// What an action fails with; "" where it does not.
inline std::string why(const std::function<void()>& action) {
  try {
    action();
  } catch (const PluginFailure& failure) {
    return failure.what();
  }
  return "";
}

/// All records of `bytes`, or why they are refused.
inline Json records_of(const std::string& reader, const std::string& bytes, Json options = Json::object()) {
  const TemporaryFile file(bytes);
  if (!options.contains("max_bytes")) options["max_bytes"] = 1 << 20;
  Json records;
  std::string said = why([&] {
    ReaderUnderTest opened(reader, file.path(), options);
    const int64_t count = opened.count();
    records = opened.read();
    if (int64_t(records.size()) != count) records = "counted " + std::to_string(count) + ", read " + std::to_string(records.size());
  });
  if (said.empty()) return records;
  if (const size_t at = said.find(file.path()); at != said.npos) said.replace(at, file.path().size(), "FILE");
  return said;
}

/// Whether a file reads; where it does not, the error must name it.
inline bool reads(const std::string& reader, const TemporaryFile& file, const Json& options = Json::object()) {
  const std::string said = why([&] {
    ReaderUnderTest opened(reader, file.path(), options);
    opened.read(0, std::min<int64_t>(opened.count(), 4096));
  });
  EXPECT_TRUE(said.empty() || said.starts_with(file.path() + ":")) << said;
  return said.empty();
}

/// How many of `n` copies of a file with flipped bits still read. None may crash.
inline int reads_damaged(const std::string& reader, const std::string& whole, int n, const Json& options = Json::object()) {
  const TemporaryFile file;
  std::minstd_rand dice(1);
  int read = 0;
  for (int i = 0; i < n; ++i) {
    std::string damaged = whole;
    for (int flips = 1 + dice() % 4; flips > 0; --flips) damaged[dice() % damaged.size()] ^= static_cast<char>(1 << dice() % 8);
    file.write(damaged);
    read += reads(reader, file, options);
  }
  return read;
}

}  // namespace attune::testing
