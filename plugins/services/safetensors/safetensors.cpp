// SPDX-License-Identifier: Apache-2.0
// Checkpoints in the safetensors format. An index names the file of each tensor:
//   {"weight_map": {"model.norm.weight": "model-00002-of-00002.safetensors", ...}}
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "attune/weights.h"
#include "tensor_file.h"
#include "tensor_writer.h"

namespace {

using namespace attune;

constexpr std::string_view kIndexSuffix = ".index.json";

attune_tensor description(const TensorEntry& entry) {
  return {str(entry.name),
          entry.dtype,
          static_cast<int32_t>(entry.shape.size()),
          entry.shape.data(),
          {nullptr, 0}};
}

class Safetensors {
 public:
  explicit Safetensors(Value options) : path_(options["path"].text("")) {
    if (path_.empty()) return;
    if (std::string_view(path_).ends_with(kIndexSuffix)) {
      read_index();
    } else {
      whole_ = std::make_unique<TensorFile>(path_);
    }
  }
  Safetensors(Safetensors&&) = delete;

  void list(const TensorSink& emit) {
    need_path();
    if (whole_) {
      for (const TensorEntry& entry : whole_->entries()) emit(description(entry));
    }
    for (const auto& [name, shard] : index_) emit(description(find(name)));
  }

  void read(std::string_view name, const TensorSink& emit) {
    need_path();
    const TensorEntry& entry = find(name);
    const size_t element = dtype_size(entry.dtype);
    if (element == 0) {
      throw Error(
          path_ + ": tensor \"" + entry.name + "\" has dtype " + entry.dtype_name +
              "; known: F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL; convert the checkpoint",
          ATTUNE_E_UNSUPPORTED);
    }
    attune_tensor tensor = description(entry);
    tensor.data = {entry.bytes.data(), entry.bytes.size()};
    // The format aligns nothing; what computes with the elements may need it.
    std::unique_ptr<std::max_align_t[]> aligned;
    if (reinterpret_cast<uintptr_t>(entry.bytes.data()) % element != 0) {
      aligned.reset(new std::max_align_t[entry.bytes.size() / sizeof(std::max_align_t) + 1]);
      std::memcpy(aligned.get(), entry.bytes.data(), entry.bytes.size());
      tensor.data.data = aligned.get();
    }
    emit(tensor);
  }

  std::optional<std::string> document(std::string_view) { return std::nullopt; }

  void write(const std::string& path, const attune_tensor* tensors, size_t n, Value metadata) {
    write_tensors(path, tensors, n, metadata);
  }

 private:
  void need_path() const {
    if (path_.empty()) {
      throw Error("safetensors: expected option `path` with the file to read, found none");
    }
  }

  void read_index() {
    const MappedFile file(path_);
    nlohmann::ordered_json index;
    try {
      index = nlohmann::ordered_json::parse(file.bytes());
    } catch (const nlohmann::json::exception& error) {
      throw Error(path_ + ": no JSON: " + error.what());
    }
    if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
      throw Error(path_ + ": expected an object `weight_map` from tensor to file, found none");
    }
    for (const auto& [name, shard] : index["weight_map"].items()) {
      // A name with a slash could lead out of the checkpoint's folder.
      if (!shard.is_string() || shard.get<std::string>().find('/') != std::string::npos) {
        throw Error(path_ + ": weight_map[\"" + name +
                    "\"]: expected the name of a file in the same "
                    "folder, found " +
                    shard.dump());
      }
      shard_of_[name] = shard.get<std::string>();
      index_.emplace_back(name, shard.get<std::string>());
    }
  }

  TensorFile& shard(const std::string& name) {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<TensorFile>& file = shards_[name];
    if (!file) {
      const auto path = std::filesystem::path(path_).parent_path() / name;
      try {
        file = std::make_unique<TensorFile>(path.string());
      } catch (const Error& error) {
        throw Error(std::string(error.what()) + " (named by " + path_ + ")", error.code());
      }
    }
    return *file;
  }

  const TensorEntry& find(std::string_view name) {
    const TensorEntry* found = nullptr;
    std::string where = path_;
    if (whole_) {
      found = whole_->find(name);
    } else if (const auto at = shard_of_.find(name); at != shard_of_.end()) {
      TensorFile& file = shard(at->second);
      where = file.path();
      found = file.find(name);
    }
    if (!found) {
      throw Error(where + ": no tensor \"" + std::string(name) + "\"", ATTUNE_E_NOT_FOUND);
    }
    return *found;
  }

  std::string path_;
  std::unique_ptr<TensorFile> whole_;
  std::vector<std::pair<std::string, std::string>> index_;  // tensor, file: in the index's order
  std::map<std::string, std::string, std::less<>> shard_of_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<TensorFile>> shards_;
};

ATTUNE_WEIGHTS(safetensors, "safetensors", Safetensors);

}  // namespace

ATTUNE_PLUGIN(&safetensors)
