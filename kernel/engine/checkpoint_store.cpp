// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/checkpoint_store.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "kernel/engine/loaded_model.h"

namespace attune {
namespace fs = std::filesystem;
namespace {

constexpr int kFormat = 1;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void add(const void* data, size_t size) { EVP_DigestUpdate(context_.get(), data, size); }
  std::string hex() {
    unsigned char digest[32];
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &size);
    std::string text;
    for (const unsigned char byte : digest) {
      text += "0123456789abcdef"[byte >> 4];
      text += "0123456789abcdef"[byte & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

std::string step_name(int64_t step) {
  const std::string digits = std::to_string(step);
  return "step-" + std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits;
}

/// Complete checkpoints, newest first.
std::vector<fs::path> complete(const std::string& folder) {
  std::vector<fs::path> found;
  if (!fs::is_directory(folder)) return found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-") && fs::exists(entry.path() / "state.json")) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end(), std::greater<>());
  return found;
}

void require_space(const std::string& folder, int64_t bytes) {
  struct statvfs disk {};
  if (statvfs(folder.c_str(), &disk) != 0) return;
  const int64_t free = int64_t(disk.f_bavail) * int64_t(disk.f_frsize);
  if (free < bytes) {
    throw Error(folder + ": a checkpoint needs " + std::to_string(bytes >> 20) + " MiB, " + std::to_string(free >> 20) +
                    " MiB are free; make room and run again, it resumes from the last checkpoint",
                ATTUNE_E_IO);
  }
}

}  // namespace

std::string sha256_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error("cannot read " + path + ": " + std::strerror(errno), ATTUNE_E_IO);
  Sha256 digest;
  std::vector<char> block(4 << 20);
  while (file.read(block.data(), std::streamsize(block.size())) || file.gcount() > 0) digest.add(block.data(), size_t(file.gcount()));
  return digest.hex();
}

std::string sha256_of(std::string_view text) {
  Sha256 digest;
  digest.add(text.data(), text.size());
  return digest.hex();
}

void sync_folder(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

void write_file(const std::string& path, std::string_view text) {
  const std::string staged = path + ".part";
  const int fd = open(staged.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  bool ok = fd >= 0;
  for (size_t done = 0; ok && done < text.size();) {
    const ssize_t n = write(fd, text.data() + done, text.size() - done);
    ok = n > 0;
    if (ok) done += size_t(n);
  }
  ok = ok && fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (!ok) throw Error("cannot write " + path + ": " + std::strerror(error), ATTUNE_E_IO);
  fs::rename(staged, path);
  sync_folder(fs::path(path).parent_path().string());
}

TensorViews::TensorViews(const NamedTensors& tensors) {
  held.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor& kept = held.emplace_back(tensor.detach().to(at::kCPU).contiguous());
    views.push_back({str(name), attune_dtype(kept.scalar_type()), int32_t(kept.dim()), kept.sizes().data(),
                     {kept.data_ptr(), size_t(kept.nbytes())}});
  }
}

CheckpointStore::CheckpointStore(std::string folder, std::string run_digest, HostServices& host)
    : folder_(std::move(folder)), run_digest_(std::move(run_digest)), host_(host) {}

void CheckpointStore::save(int64_t step, const NamedTensors& state, const Json& extra, int64_t keep) {
  fs::create_directories(folder_);
  for (const auto& entry : fs::directory_iterator(folder_)) {  // What a killed process left.
    if (entry.path().filename().string().starts_with(".staging-")) fs::remove_all(entry.path());
  }
  int64_t bytes = 1 << 20;
  for (const auto& [name, tensor] : state) bytes += int64_t(tensor.nbytes()) + 256;
  require_space(folder_, bytes);

  const fs::path staging = fs::path(folder_) / (".staging-" + step_name(step));
  fs::create_directories(staging);
  const std::string tensors = (staging / "state.safetensors").string();
  host_.write_tensors(tensors, TensorViews(state).views, Json::object());
  const Json document = {{"format", kFormat}, {"step", step}, {"run", run_digest_}, {"sha256", sha256_of_file(tensors)}, {"extra", extra}};
  write_file((staging / "state.json").string(), document.dump(1));
  sync_folder(staging.string());
  const fs::path final = fs::path(folder_) / step_name(step);
  fs::remove_all(final);
  fs::rename(staging, final);
  sync_folder(folder_);

  const std::vector<fs::path> all = complete(folder_);
  for (size_t i = size_t(std::max<int64_t>(keep, 1)); i < all.size(); ++i) fs::remove_all(all[i]);
}

std::optional<CheckpointStore::Found> CheckpointStore::newest() const {
  for (const fs::path& path : complete(folder_)) {
    std::ifstream file(path / "state.json");
    const Json document = Json::parse(file, nullptr, false);
    const bool readable = document.is_object() && document.value("format", 0) == kFormat;
    if (readable && document.value("run", "") != run_digest_) {
      throw Error(path.string() + " belongs to a run with another manifest; give this run another name, or remove " +
                  fs::path(folder_).parent_path().string());
    }
    const fs::path tensors = path / "state.safetensors";
    if (!readable || !fs::exists(tensors) || sha256_of_file(tensors.string()) != document.value("sha256", "")) {
      host_.log(ATTUNE_LOG_WARN, path.string() + " is damaged (its contents do not match their digest); using an older one");
      continue;
    }
    return Found{document.at("step"), path.string(), document.at("extra")};
  }
  return std::nullopt;
}

void CheckpointStore::load(const Found& found, const NamedTensors& state) const {
  const at::NoGradGuard no_grad;
  const auto file = host_.checkpoint(found.path + "/state.safetensors");
  for (const auto& [name, tensor] : state) {
    file->read(name, [&, target = tensor](const attune_tensor& read) mutable {
      target.copy_(at::from_blob(const_cast<void*>(read.data.data), at::IntArrayRef(read.shape, size_t(read.n_dims)),
                                 at::TensorOptions(scalar_type(read.dtype))));
    });
  }
}

}  // namespace attune
