// SPDX-License-Identifier: Apache-2.0
#include "tensor_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "attune/abi.h"

namespace attune {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kLongestHeader = 100'000'000;
constexpr int kDeepestHeader = 8;

struct Dtype {
  std::string_view name;
  int32_t code;  // 0: the format has it, Attune does not
  uint64_t bytes;
};

constexpr Dtype kDtypes[] = {
    {"F64", ATTUNE_F64, 8}, {"F32", ATTUNE_F32, 4},
    {"F16", ATTUNE_F16, 2}, {"BF16", ATTUNE_BF16, 2},
    {"I64", ATTUNE_I64, 8}, {"I32", ATTUNE_I32, 4},
    {"I16", ATTUNE_I16, 2}, {"I8", ATTUNE_I8, 1},
    {"U8", ATTUNE_U8, 1},   {"BOOL", ATTUNE_BOOL8, 1},
    {"U16", 0, 2},          {"U32", 0, 4},
    {"U64", 0, 8},          {"F8_E4M3", 0, 1},
    {"F8_E5M2", 0, 1},      {"F8_E8M0", 0, 1},
    {"C64", 0, 8},
};

const Dtype* find_dtype(std::string_view name) {
  const auto found = std::find_if(std::begin(kDtypes), std::end(kDtypes),
                                  [&](const Dtype& dtype) { return dtype.name == name; });
  return found == std::end(kDtypes) ? nullptr : found;
}

/// Product of the dimensions and the bytes of one element, unless it does not fit.
std::optional<uint64_t> byte_size(const std::vector<int64_t>& shape, uint64_t element) {
  uint64_t size = element;
  for (const int64_t extent : shape) {
    if (__builtin_mul_overflow(size, static_cast<uint64_t>(extent), &size)) return std::nullopt;
  }
  return size;
}

bool is_extent(const Json& value) {
  return value.is_number_unsigned() && value.get<uint64_t>() <= uint64_t{INT64_MAX};
}

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() > 80 ? text.substr(0, 80) + "..." : text;
}

}  // namespace

std::string_view dtype_name(int32_t code) {
  for (const Dtype& dtype : kDtypes) {
    if (dtype.code == code && code != 0) return dtype.name;
  }
  return "";
}

TensorFile::TensorFile(const std::string& path) : path_(path), file_(path) {
  read_header();
  for (const TensorEntry& entry : entries_) by_name_.emplace(entry.name, &entry);
}

const TensorEntry* TensorFile::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

void TensorFile::refuse(const std::string& why) const {
  throw Error(path_ + ": no valid safetensors file: " + why);
}

void TensorFile::read_header() {
  const std::string_view bytes = file_.bytes();
  if (bytes.size() < 8) {
    refuse("expected 8 bytes with the header's length, found a file of " +
           std::to_string(bytes.size()) + " bytes; is the download complete?");
  }
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<unsigned char>(bytes[i]);
  if (length > bytes.size() - 8 || length > kLongestHeader) {
    refuse("expected a header of at most " +
           std::to_string(std::min<uint64_t>(bytes.size() - 8, kLongestHeader)) +
           " bytes, found the length " + std::to_string(length) + "; is the download complete?");
  }

  const std::string_view text = bytes.substr(8, length);
  const std::string_view data = bytes.substr(8 + length);
  std::set<std::string> names;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kDeepestHeader) refuse("the header nests deeper than any header does");
    if (event == Json::parse_event_t::key && depth == 1 &&
        !names.insert(parsed.get<std::string>()).second) {
      refuse("tensor \"" + parsed.get<std::string>() + "\" is there twice");
    }
    return true;
  };
  Json header;
  try {
    header = Json::parse(text, watch);
  } catch (const Json::exception& error) {
    refuse(std::string("the header is no JSON: ") + error.what());
  }
  if (!header.is_object()) refuse("expected a JSON object as header, found " + shown(header));

  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const auto refuse_entry = [&](const std::string& why) {
      refuse("tensor \"" + name + "\": " + why);
    };
    const auto member = [&](const char* key) {
      return entry.is_object() ? entry.value(key, Json()) : Json();
    };
    const Json dtype = member("dtype"), shape = member("shape"), offsets = member("data_offsets");
    if (!dtype.is_string()) refuse_entry("expected a string `dtype`, found " + shown(dtype));
    if (!shape.is_array() || !std::all_of(shape.begin(), shape.end(), is_extent)) {
      refuse_entry("expected a list of sizes as `shape`, found " + shown(shape));
    }
    if (!offsets.is_array() || offsets.size() != 2 || !is_extent(offsets[0]) ||
        !is_extent(offsets[1])) {
      refuse_entry("expected [begin, end] as `data_offsets`, found " + shown(offsets));
    }
    const uint64_t begin = offsets[0], end = offsets[1];
    if (begin > end || end > data.size()) {
      refuse_entry("expected offsets within the " + std::to_string(data.size()) +
                   " bytes of data, found " + shown(offsets) + "; is the download complete?");
    }
    TensorEntry made{name, dtype, 0, shape, data.substr(begin, end - begin)};
    if (const Dtype* known = find_dtype(made.dtype_name)) {
      made.dtype = known->code;
      const std::optional<uint64_t> size = byte_size(made.shape, known->bytes);
      if (size != end - begin) {
        refuse_entry(made.dtype_name + " of shape " + shown(shape) + " takes " +
                     (size ? std::to_string(*size) : "more than 2^64") + " bytes, found " +
                     std::to_string(end - begin));
      }
    }
    entries_.push_back(std::move(made));
  }
  check_layout(data.size());
}

void TensorFile::check_layout(size_t data_size) {
  const char* const base = file_.bytes().data() + (file_.bytes().size() - data_size);
  const auto range = [](const TensorEntry& e) { return std::pair(e.bytes.data(), e.bytes.size()); };
  std::stable_sort(entries_.begin(), entries_.end(),
                   [&](const auto& a, const auto& b) { return range(a) < range(b); });
  size_t reached = 0;
  for (const TensorEntry& entry : entries_) {
    const size_t begin = static_cast<size_t>(entry.bytes.data() - base);
    if (begin != reached) {
      refuse("tensor \"" + entry.name + "\": expected its bytes to begin at " +
             std::to_string(reached) + ", where the one before ends, found " +
             std::to_string(begin) + (begin < reached ? " (an overlap)" : " (a hole)"));
    }
    reached += entry.bytes.size();
  }
  if (reached != data_size) {
    refuse("expected the tensors to fill all " + std::to_string(data_size) +
           " bytes of data, found that they end at " + std::to_string(reached));
  }
}

}  // namespace attune
