// SPDX-License-Identifier: Apache-2.0
#include "json_record.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace attune {
namespace {

using Json = nlohmann::json;

constexpr size_t kDeepest = 256;

/// The parser's own words without its name, position and long tokens.
std::string reason(const std::string& message, const std::string& token) {
  if (message.find("ill-formed UTF-8") != message.npos) {
    char byte[8];
    std::snprintf(byte, sizeof(byte), "0x%02X",
                  token.empty() ? 0 : static_cast<unsigned char>(token.back()));
    return std::string("no valid UTF-8, found the byte ") + byte + "; convert the file";
  }
  size_t begin = message.find(": ");
  begin = begin == message.npos ? 0 : begin + 2;
  std::string text = message.substr(begin, message.find("; last read", begin) - begin);
  if (text.empty()) text = "a syntax error";
  size_t cut = token.size() > 40 ? token.size() - 40 : 0;
  while (cut < token.size() && (static_cast<unsigned char>(token[cut]) & 0xC0) == 0x80) ++cut;
  return "no valid JSON: " + text + (token.empty() ? "" : ", at `" + token.substr(cut) + "`");
}

/// Builds the tree as the parser goes: no document in between.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(Arena& arena) : arena_(arena) {}

  attune_value take() const { return root_; }

  bool null() override { return add(Arena::null()); }
  bool boolean(bool value) override { return add(Arena::boolean(value)); }
  bool number_integer(int64_t value) override { return add(Arena::integer(value)); }
  bool number_unsigned(uint64_t value) override {
    const bool fits = value <= uint64_t{INT64_MAX};
    return add(fits ? Arena::integer(static_cast<int64_t>(value))
                    : Arena::number(static_cast<double>(value)));
  }
  bool number_float(double value, const std::string&) override { return add(Arena::number(value)); }
  bool string(std::string& value) override { return add(arena_.text(value)); }
  bool binary(Json::binary_t&) override { return false; }
  bool key(std::string& name) override {
    open_.back().key = name;
    return true;
  }
  bool start_object(size_t) override { return start(true); }
  bool start_array(size_t) override { return start(false); }
  bool end_object() override {
    const Frame frame = finish();
    std::vector<std::pair<std::string_view, attune_value>> members;
    for (size_t i = 0; i < frame.items.size(); ++i)
      members.emplace_back(frame.keys[i], frame.items[i]);
    return add(arena_.map(members));
  }
  bool end_array() override { return add(arena_.list(finish().items)); }
  bool parse_error(size_t position, const std::string& token,
                   const Json::exception& error) override {
    throw BadRecord(reason(error.what(), token), position);
  }

 private:
  struct Frame {
    bool map;
    std::string key;
    std::vector<std::string> keys;
    std::vector<attune_value> items;
  };

  bool start(bool map) {
    if (open_.size() == kDeepest) {
      throw BadRecord("nests deeper than " + std::to_string(kDeepest) + " levels", 1);
    }
    open_.push_back({map, {}, {}, {}});
    return true;
  }
  Frame finish() {
    Frame frame = std::move(open_.back());
    open_.pop_back();
    return frame;
  }
  bool add(const attune_value& value) {
    if (open_.empty()) {
      root_ = value;
      return true;
    }
    Frame& frame = open_.back();
    if (frame.map) {
      const auto known = std::find(frame.keys.begin(), frame.keys.end(), frame.key);
      if (known != frame.keys.end()) {
        frame.items[known - frame.keys.begin()] = value;
        return true;
      }
      frame.keys.push_back(frame.key);
    }
    frame.items.push_back(value);
    return true;
  }

  Arena& arena_;
  std::vector<Frame> open_;
  attune_value root_{};
};

}  // namespace

attune_value parse_json(std::string_view json, Arena& arena) {
  Builder builder(arena);
  Json::sax_parse(json, &builder);
  return builder.take();
}

attune_value parse_record(std::string_view json, Arena& arena) {
  const attune_value record = parse_json(json, arena);
  if (record.type != ATTUNE_MAP) {
    throw BadRecord("expected an object {...}, found " + std::string(Value(&record).type_name()),
                    1);
  }
  return record;
}

}  // namespace attune
