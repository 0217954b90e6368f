// SPDX-License-Identifier: Apache-2.0
#include "tensor_writer.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "attune/weights.h"
#include "tensor_file.h"

namespace attune {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kChunk = size_t{8} << 20;

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

[[noreturn]] void fail(const std::string& path, const std::string& verb, int why) {
  throw Error(path + ": cannot " + verb + " it: " + std::strerror(why),
              why == ENOENT ? ATTUNE_E_NOT_FOUND : ATTUNE_E_IO);
}

/// Bytes that the file system of `path` still takes; -1 where it does not say.
int64_t free_bytes(const std::string& path) {
  struct statvfs found {};
  if (::statvfs(folder_of(path).c_str(), &found) != 0 || found.f_blocks == 0) return -1;
  return static_cast<int64_t>(found.f_bavail * found.f_frsize);
}

[[noreturn]] void refuse_full(const std::string& path, uint64_t needed) {
  throw Error(path + ": the disk is full: " + std::to_string(needed) + " bytes needed, " +
                  std::to_string(std::max<int64_t>(free_bytes(path), 0)) +
                  " bytes free; make room or write elsewhere",
              ATTUNE_E_IO);
}

/// A file that grows beside its name and takes it in the end. Gone if that end is never reached.
class PartFile {
 public:
  PartFile(const std::string& path, uint64_t needed)
      : path_(path), part_(path + ".part"), needed_(needed) {
    const int64_t free = free_bytes(path);
    if (free >= 0 && static_cast<uint64_t>(free) < needed) refuse_full(path, needed);
    file_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file_ < 0) fail(part_, "create", errno);
  }
  ~PartFile() {
    if (file_ >= 0) ::close(file_);
    if (!done_) ::unlink(part_.c_str());
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  void append(const void* data, size_t size) {
    const char* next = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t wrote = ::pwrite(file_, next, std::min(size, kChunk), offset_);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) give_up("write");
      next += wrote, size -= static_cast<size_t>(wrote), offset_ += wrote;
    }
  }

  void finish() {
    if (::fsync(file_) != 0) give_up("sync");
    if (::close(std::exchange(file_, -1)) != 0) give_up("close");
    if (::rename(part_.c_str(), path_.c_str()) != 0) fail(path_, "rename " + part_ + " to", errno);
    done_ = true;
    const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = folder >= 0 && ::fsync(folder) == 0;
    const int why = errno;
    if (folder >= 0) ::close(folder);
    if (!synced) fail(folder_of(path_), "sync", why);
  }

 private:
  [[noreturn]] void give_up(const char* verb) const {
    const int why = errno;
    if (why == ENOSPC || why == EDQUOT) refuse_full(path_, needed_);
    fail(part_, verb, why);
  }

  std::string path_, part_;
  uint64_t needed_;
  int file_ = -1;
  off_t offset_ = 0;
  bool done_ = false;
};

Json metadata_of(Value given, const std::string& path) {
  Json made = {{"format", "pt"}};
  if (given && !given.is_map()) {
    throw Error(path + ": expected a map of strings as metadata, found " +
                std::string(given.type_name()));
  }
  for (size_t i = 0; i < given.size(); ++i) {
    const std::string key(given.key(i));
    const Value value = given[std::string_view(key)];
    if (!value.is_string()) {
      throw Error(path + ": metadata \"" + key + "\": expected a string, found " +
                  std::string(value.type_name()) + "; the format holds strings only");
    }
    made[key] = std::string(value.text());
  }
  return made;
}

/// Checks that the tensor is what it says and gives its header entry.
Json describe(const attune_tensor& tensor, uint64_t begin, const std::string& path) {
  const std::string who = path + ": tensor \"" + string(tensor.name) + "\": ";
  const std::string_view dtype = dtype_name(tensor.dtype);
  if (dtype.empty()) {
    throw Error(who + "expected a dtype of the contract, found " + std::to_string(tensor.dtype));
  }
  Json shape = Json::array();
  uint64_t size = dtype_size(tensor.dtype);
  for (int32_t i = 0; i < tensor.n_dims; ++i) {
    const int64_t extent = tensor.shape[i];
    if (extent < 0 || __builtin_mul_overflow(size, static_cast<uint64_t>(extent), &size)) {
      throw Error(who + "dimension " + std::to_string(i) + " is " + std::to_string(extent) +
                  ", which no tensor can have");
    }
    shape.push_back(extent);
  }
  if (size != tensor.data.size || (size > 0 && !tensor.data.data)) {
    throw Error(who + std::string(dtype) + " of shape " + shape.dump() + " takes " +
                std::to_string(size) + " bytes, found " + std::to_string(tensor.data.size));
  }
  return {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {begin, begin + size}}};
}

}  // namespace

void write_tensors(const std::string& path, const attune_tensor* tensors, size_t n,
                   Value metadata) {
  std::string header = "{\"__metadata__\":" + metadata_of(metadata, path).dump();
  std::unordered_set<std::string_view> names{"__metadata__"};
  uint64_t data_size = 0;
  for (size_t i = 0; i < n; ++i) {
    if (!names.insert(view(tensors[i].name)).second) {
      throw Error(path + ": tensor \"" + string(tensors[i].name) +
                  "\": the name is taken; every tensor needs its own");
    }
    const Json entry = describe(tensors[i], data_size, path);
    header += "," + Json(string(tensors[i].name)).dump() + ":" + entry.dump();
    data_size += tensors[i].data.size;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');

  char length[8];
  for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(uint64_t{header.size()} >> (8 * i));
  PartFile file(path, sizeof(length) + header.size() + data_size);
  file.append(length, sizeof(length));
  file.append(header.data(), header.size());
  for (size_t i = 0; i < n; ++i) file.append(tensors[i].data.data, tensors[i].data.size);
  file.finish();
}

}  // namespace attune
