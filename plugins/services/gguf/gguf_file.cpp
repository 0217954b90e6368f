// SPDX-License-Identifier: Apache-2.0
#include "gguf_file.h"

#include <algorithm>
#include <bit>
#include <charconv>

namespace attune {
namespace {

enum Type : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

constexpr size_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
constexpr const char* kNames[] = {"U8",   "I8",     "U16",   "I16", "U32", "I32", "F32",
                                  "bool", "string", "array", "U64", "I64", "F64"};
constexpr int kDeepestArray = 4;
constexpr uint32_t kMostDimensions = 4;

uint64_t little_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

bool is_integer(uint32_t type) {
  return kBytes[type] > 0 && type != kF32 && type != kF64 && type != kBool;
}

int64_t to_integer(uint32_t type, std::string_view bytes) {
  const uint64_t raw = little_endian(bytes);
  switch (type) {
    case kI8:
      return static_cast<int8_t>(raw);
    case kI16:
      return static_cast<int16_t>(raw);
    case kI32:
      return static_cast<int32_t>(raw);
    default:
      return static_cast<int64_t>(raw);
  }
}

/// A float as the number that its author most likely wrote: 1e-05, not 9.999999747378752e-06.
double widen(float value) {
  char text[32];
  const auto written = std::to_chars(text, text + sizeof(text), value);
  double wide = value;
  std::from_chars(text, written.ptr, wide);
  return wide;
}

double to_number(uint32_t type, std::string_view bytes) {
  const uint64_t raw = little_endian(bytes);
  if (type == kF32) return widen(std::bit_cast<float>(static_cast<uint32_t>(raw)));
  if (type == kF64) return std::bit_cast<double>(raw);
  return static_cast<double>(to_integer(type, bytes));
}

std::string quoted(std::string_view text) {
  return "\"" + std::string(text.substr(0, 100)) + (text.size() > 100 ? "..." : "") + "\"";
}

}  // namespace

/// Takes values off the front; an error names what was being read and how many bytes were left.
class GgufFile::Cursor {
 public:
  explicit Cursor(const GgufFile& file) : file_(file), bytes_(file.file_.bytes()) {}

  size_t at() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }
  std::string_view take(uint64_t n, const std::string& what) {
    if (n > left()) {
      file_.refuse("expected " + std::to_string(n) + " bytes for " + what + " at byte " +
                   std::to_string(at_) + ", found " + std::to_string(left()) +
                   "; is the download complete?");
    }
    at_ += n;
    return bytes_.substr(at_ - n, n);
  }
  uint32_t u32(const std::string& what) {
    return static_cast<uint32_t>(little_endian(take(4, what)));
  }
  uint64_t u64(const std::string& what) { return little_endian(take(8, what)); }
  std::string_view text(const std::string& what) {
    const uint64_t size = u64("the length of " + what);
    return take(size, what);
  }

  Metadata value(uint32_t type, const std::string& what, int depth = 0) {
    if (type > kF64) {
      file_.refuse(what + ": expected a value type from 0 to 12, found " + std::to_string(type));
    }
    if (type == kString) return {type, 0, 0, text(what)};
    if (type != kArray) return {type, 0, 0, take(kBytes[type], what)};
    if (depth == kDeepestArray) file_.refuse(what + ": arrays nest deeper than any file needs");
    const uint32_t item_type = u32(what);
    const uint64_t n = u64(what);
    const size_t begin = at_;
    if (item_type > kF64) {
      file_.refuse(what + ": expected a value type from 0 to 12, found " +
                   std::to_string(item_type));
    }
    if (kBytes[item_type] > 0) {
      if (n > left() / kBytes[item_type]) {
        file_.refuse(what + ": expected " + std::to_string(n) + " items, found room for " +
                     std::to_string(left() / kBytes[item_type]) + "; is the download complete?");
      }
      take(n * kBytes[item_type], what);
    } else {
      for (uint64_t i = 0; i < n; ++i) value(item_type, what, depth + 1);
    }
    return {type, item_type, n, bytes_.substr(begin, at_ - begin)};
  }

 private:
  const GgufFile& file_;
  std::string_view bytes_;
  size_t at_ = 0;
};

GgufFile::GgufFile(const std::string& path) : path_(path), file_(path) {
  Cursor cursor(*this);
  const std::string_view magic = cursor.take(4, "the magic number");
  if (magic != "GGUF") refuse("no GGUF file: expected \"GGUF\" at its start");
  const uint32_t version = cursor.u32("the version");
  if (version != 2 && version != 3) {
    refuse("GGUF version " + std::to_string(version) + "; known: 2 and 3, little-endian",
           ATTUNE_E_UNSUPPORTED);
  }
  const uint64_t n_tensors = cursor.u64("the number of tensors");
  const uint64_t n_metadata = cursor.u64("the number of metadata entries");
  read_metadata(cursor, n_metadata);
  read_tensors(cursor, n_tensors);
}

void GgufFile::refuse(const std::string& why, int code) const {
  throw Error(path_ + ": " + why, code);
}

void GgufFile::read_metadata(Cursor& cursor, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    const std::string_view key = cursor.text("the key of metadata entry " + std::to_string(i));
    const std::string what = "metadata " + quoted(key);
    const uint32_t type = cursor.u32("the type of " + what);
    const Metadata value = cursor.value(type, what);
    if (!metadata_.emplace(key, value).second) refuse(what + " is there twice");
  }
}

void GgufFile::read_tensors(Cursor& cursor, uint64_t count) {
  std::vector<uint64_t> offsets;
  for (uint64_t i = 0; i < count; ++i) {
    GgufTensor tensor;
    tensor.name = cursor.text("the name of tensor " + std::to_string(i));
    const std::string what = "tensor " + quoted(tensor.name);
    const uint32_t n_dims = cursor.u32(what);
    if (n_dims > kMostDimensions) {
      refuse(what + ": expected at most " + std::to_string(kMostDimensions) +
             " dimensions, found " + std::to_string(n_dims));
    }
    uint64_t elements = 1;
    for (uint32_t d = 0; d < n_dims; ++d) {
      const uint64_t extent = cursor.u64(what);
      if (extent > uint64_t{INT64_MAX} || __builtin_mul_overflow(elements, extent, &elements) ||
          elements > uint64_t{INT64_MAX}) {
        refuse(what + ": its dimensions have more elements than fit in any memory");
      }
      tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(extent));
    }
    tensor.type_number = cursor.u32(what);
    tensor.type = find_quant_type(tensor.type_number);
    offsets.push_back(cursor.u64(what));
    if (!by_name_.emplace(tensor.name, tensors_.size()).second) refuse(what + " is there twice");
    tensors_.push_back(std::move(tensor));
  }
  place_tensors(cursor, offsets);
  check_overlaps();
}

void GgufFile::place_tensors(const Cursor& cursor, const std::vector<uint64_t>& offsets) {
  const int64_t alignment = integer("general.alignment").value_or(32);
  if (alignment < 1 || alignment > (1 << 24) ||
      !std::has_single_bit(static_cast<uint64_t>(alignment))) {
    refuse("metadata \"general.alignment\": expected a power of two, found " +
           std::to_string(alignment));
  }
  const size_t start = (cursor.at() + alignment - 1) / alignment * alignment;
  const std::string_view bytes = file_.bytes();
  const std::string_view data = start < bytes.size() ? bytes.substr(start) : std::string_view();
  for (size_t i = 0; i < tensors_.size(); ++i) {
    GgufTensor& tensor = tensors_[i];
    const std::string what = "tensor " + quoted(tensor.name);
    if (offsets[i] % alignment != 0) {
      refuse(what + ": expected an offset that is a multiple of " + std::to_string(alignment) +
             ", found " + std::to_string(offsets[i]));
    }
    if (!tensor.type) continue;
    uint64_t elements = 1;
    for (const int64_t extent : tensor.shape) elements *= static_cast<uint64_t>(extent);
    const uint64_t row = tensor.shape.empty() ? 1 : static_cast<uint64_t>(tensor.shape.back());
    if (row % tensor.type->elements != 0) {
      refuse(what + ": " + std::string(tensor.type->name) + " holds rows of a multiple of " +
             std::to_string(tensor.type->elements) + " elements, found " + std::to_string(row));
    }
    uint64_t size = 0;
    const bool overflow = __builtin_mul_overflow(elements / tensor.type->elements,
                                                 uint64_t{tensor.type->bytes}, &size);
    if (overflow || offsets[i] > data.size() || size > data.size() - offsets[i]) {
      refuse(what + ": expected " + (overflow ? "more than 2^64" : std::to_string(size)) +
             " bytes at offset " + std::to_string(offsets[i]) + ", found a file with " +
             std::to_string(data.size()) + " bytes of tensors; is the download complete?");
    }
    tensor.bytes = data.substr(offsets[i], size);
  }
}

void GgufFile::check_overlaps() const {
  std::vector<const GgufTensor*> placed;
  for (const GgufTensor& tensor : tensors_) {
    if (!tensor.bytes.empty()) placed.push_back(&tensor);
  }
  std::sort(placed.begin(), placed.end(),
            [](const auto* a, const auto* b) { return a->bytes.data() < b->bytes.data(); });
  for (size_t i = 1; i < placed.size(); ++i) {
    const std::string_view before = placed[i - 1]->bytes;
    if (before.data() + before.size() > placed[i]->bytes.data()) {
      refuse("the bytes of tensors " + quoted(placed[i - 1]->name) + " and " +
             quoted(placed[i]->name) + " overlap");
    }
  }
}

const GgufTensor* GgufFile::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

const Metadata* GgufFile::find_metadata(std::string_view key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? nullptr : &found->second;
}

void GgufFile::refuse_type(std::string_view key, const char* expected,
                           const Metadata& found) const {
  std::string name = kNames[found.type];
  if (found.type == kArray) name += std::string(" of ") + kNames[found.item_type];
  refuse("metadata " + quoted(key) + ": expected " + expected + ", found " + name);
}

std::optional<int64_t> GgufFile::integer(std::string_view key) const {
  const Metadata* found = find_metadata(key);
  if (!found) return std::nullopt;
  if (!is_integer(found->type)) refuse_type(key, "an integer", *found);
  return to_integer(found->type, found->bytes);
}

std::optional<double> GgufFile::number(std::string_view key) const {
  const Metadata* found = find_metadata(key);
  if (!found) return std::nullopt;
  if (found->type != kF32 && found->type != kF64 && !is_integer(found->type)) {
    refuse_type(key, "a number", *found);
  }
  return to_number(found->type, found->bytes);
}

std::optional<bool> GgufFile::boolean(std::string_view key) const {
  const Metadata* found = find_metadata(key);
  if (!found) return std::nullopt;
  if (found->type != kBool) refuse_type(key, "a bool", *found);
  return found->bytes[0] != 0;
}

std::optional<std::string_view> GgufFile::text(std::string_view key) const {
  const Metadata* found = find_metadata(key);
  if (!found) return std::nullopt;
  if (found->type != kString) refuse_type(key, "a string", *found);
  return found->bytes;
}

const Metadata* GgufFile::find_array(std::string_view key) const {
  const Metadata* found = find_metadata(key);
  if (found && found->type != kArray) refuse_type(key, "an array", *found);
  return found;
}

std::vector<std::string_view> GgufFile::texts(std::string_view key) const {
  const Metadata* found = find_array(key);
  if (!found) return {};
  if (found->item_type != kString) refuse_type(key, "an array of strings", *found);
  std::vector<std::string_view> items;
  std::string_view rest = found->bytes;
  while (items.size() < found->n_items) {
    const uint64_t size = little_endian(rest.substr(0, 8));
    items.push_back(rest.substr(8, size));
    rest.remove_prefix(8 + size);
  }
  return items;
}

std::vector<int64_t> GgufFile::integers(std::string_view key) const {
  const Metadata* found = find_array(key);
  if (!found) return {};
  if (!is_integer(found->item_type)) refuse_type(key, "an array of integers", *found);
  const size_t step = kBytes[found->item_type];
  std::vector<int64_t> items;
  for (uint64_t i = 0; i < found->n_items; ++i) {
    items.push_back(to_integer(found->item_type, found->bytes.substr(i * step, step)));
  }
  return items;
}

std::vector<double> GgufFile::numbers(std::string_view key) const {
  const Metadata* found = find_array(key);
  if (!found) return {};
  if (found->item_type != kF32 && found->item_type != kF64) {
    refuse_type(key, "an array of floats", *found);
  }
  const size_t step = kBytes[found->item_type];
  std::vector<double> items;
  for (uint64_t i = 0; i < found->n_items; ++i) {
    items.push_back(to_number(found->item_type, found->bytes.substr(i * step, step)));
  }
  return items;
}

}  // namespace attune
