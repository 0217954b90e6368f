// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/import_model.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <vector>

#include "attune/weights.h"
#include "kernel/host/exit.h"
#include "kernel/host/services/checkpoint.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

float from_half(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000) << 16;
  const int exponent = (half >> 10) & 0x1F;
  const uint32_t fraction = half & 0x3FF;
  if (exponent == 0) {
    const float small = std::ldexp(float(fraction), -24);
    return sign ? -small : small;
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | (fraction << 13));
  return std::bit_cast<float>(sign | (uint32_t(exponent + 112) << 23) | (fraction << 13));
}

float from_bfloat(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

uint16_t to_bfloat(float number) {
  const auto bits = std::bit_cast<uint32_t>(number);
  if (std::isnan(number)) return uint16_t((bits >> 16) | 0x40);
  return uint16_t((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

bool is_float(int32_t dtype) {
  return dtype == ATTUNE_F32 || dtype == ATTUNE_F16 || dtype == ATTUNE_BF16 || dtype == ATTUNE_F64;
}

template <typename From, typename Read>
std::string converted(const attune_tensor& tensor, int32_t target, Read read) {
  const size_t count = tensor.data.size / sizeof(From);
  const size_t width = dtype_size(target);
  std::string out(count * width, '\0');
  const auto* source = static_cast<const char*>(tensor.data.data);
  for (size_t i = 0; i < count; ++i) {
    From raw;
    std::memcpy(&raw, source + i * sizeof(From), sizeof raw);
    const float number = read(raw);
    if (target == ATTUNE_F32) {
      std::memcpy(out.data() + i * width, &number, width);
    } else {
      const uint16_t bits = to_bfloat(number);
      std::memcpy(out.data() + i * width, &bits, width);
    }
  }
  return out;
}

int64_t elements(const attune_tensor& tensor) {
  int64_t count = 1;
  for (int32_t d = 0; d < tensor.n_dims; ++d) count *= tensor.shape[d];
  return count;
}

int32_t written_dtype(const attune_tensor& tensor, int32_t target) {
  return is_float(tensor.dtype) ? target : tensor.dtype;
}

int64_t written_bytes(const attune_tensor& tensor, int32_t target) {
  return elements(tensor) * static_cast<int64_t>(dtype_size(written_dtype(tensor, target)));
}

/// Tensors in files of at most `most` bytes each, in their order.
std::vector<std::vector<attune_tensor>> shards_of(std::span<const attune_tensor> tensors,
                                                  int32_t target, int64_t most) {
  std::vector<std::vector<attune_tensor>> shards(1);
  int64_t held = 0;
  for (const attune_tensor& tensor : tensors) {
    const int64_t bytes = written_bytes(tensor, target);
    if (held > 0 && held + bytes > most) shards.emplace_back(), held = 0;
    shards.back().push_back(tensor);
    held += bytes;
  }
  return shards;
}

std::string shard_name(size_t index, size_t count) {
  if (count == 1) return "model.safetensors";
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", index + 1, count);
  return name;
}

void write_documents(Checkpoint& source, const fs::path& folder, const std::string& dtype) {
  for (const char* name : kDocuments) {
    std::string text = source.document(name);
    if (text.empty()) continue;
    if (std::string_view(name) == "config.json") {
      Json config = Json::parse(text);
      config["dtype"] = dtype;
      config.erase("torch_dtype");
      text = config.dump(2) + "\n";
    }
    write_atomically(folder / name, text);
  }
}

}  // namespace

std::string convert_floats(const attune_tensor& tensor, int32_t target) {
  switch (tensor.dtype) {
    case ATTUNE_F32:
      if (target == ATTUNE_F32) break;
      return converted<float>(tensor, target, [](float v) { return v; });
    case ATTUNE_F64:
      return converted<double>(tensor, target, [](double v) { return float(v); });
    case ATTUNE_F16:
      return converted<uint16_t>(tensor, target, &from_half);
    case ATTUNE_BF16:
      return converted<uint16_t>(tensor, target, &from_bfloat);
    default:
      break;
  }
  return {static_cast<const char*>(tensor.data.data), tensor.data.size};
}

Imported import_model(const std::string& from, const std::string& to, const std::string& dtype,
                      HostServices& host, int64_t shard_bytes) {
  const int32_t target = dtype == "bfloat16" ? ATTUNE_BF16 : ATTUNE_F32;
  const auto source = host.checkpoint(from);
  if (source->document("config.json").empty()) {
    throw ExitError(
        Exit::kData,
        from + ": has no config.json and its format implies none; expected a whole model");
  }
  StagedFolder staged(to);
  Imported made;
  const auto all = source->tensors();
  const auto shards = shards_of(all, target, shard_bytes);
  Json index = {{"metadata", Json::object()}, {"weight_map", Json::object()}};
  for (size_t s = 0; s < shards.size(); ++s) {
    std::vector<std::string> data;
    std::vector<attune_tensor> tensors = shards[s];
    for (attune_tensor& tensor : tensors) {
      source->read(view(tensor.name), [&](const attune_tensor& read) {
        data.push_back(convert_floats(read, target));
      });
      index["weight_map"][string(tensor.name)] = shard_name(s, shards.size());
      made.parameters += elements(tensor);
      tensor.dtype = written_dtype(tensor, target);
      host.progress("import", ++made.tensors, static_cast<int64_t>(all.size()));
    }
    for (size_t i = 0; i < tensors.size(); ++i) {
      tensors[i].data = {data[i].data(), data[i].size()};
      made.bytes += static_cast<int64_t>(data[i].size());
    }
    host.write_tensors((staged.path() / shard_name(s, shards.size())).string(), tensors,
                       {{"format", "pt"}});
    ++made.files;
  }
  if (shards.size() > 1) {
    index["metadata"]["total_size"] = made.bytes;
    write_atomically(staged.path() / "model.safetensors.index.json", index.dump(2) + "\n");
  }
  write_documents(*source, staged.path(), dtype);
  staged.publish();
  return made;
}

}  // namespace attune
