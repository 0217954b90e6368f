// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/digest.h"

#include <openssl/evp.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "kernel/host/exit.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPiece = 4 << 20;

/// A file's digest as it was told last in this process, or else what `make` says.
std::string remembered(const fs::path& file, const std::function<std::string()>& make) {
  using Key = std::tuple<std::string, ino_t, off_t, int64_t, int64_t, int64_t, int64_t>;
  static std::mutex mutex;
  static std::map<Key, std::string> known;

  std::error_code problem;
  struct stat status {};
  if (stat(file.c_str(), &status) != 0)
    throw ExitError(Exit::kData, file.string() + ": " + std::strerror(errno));
  const Key key{fs::weakly_canonical(file, problem).string(), status.st_ino, status.st_size,
                status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                status.st_ctim.tv_sec, status.st_ctim.tv_nsec};
  {
    const std::lock_guard lock(mutex);
    if (const auto found = known.find(key); found != known.end()) return found->second;
  }
  std::string digest = make();
  const std::lock_guard lock(mutex);
  return known[key] = std::move(digest);
}

}  // namespace

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  if (!state_->context || EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1) {
    throw Error("OpenSSL has no SHA-256 here; check the installation of libcrypto",
                ATTUNE_E_INTERNAL);
  }
}

Sha256::~Sha256() = default;

Sha256& Sha256::add(std::string_view bytes) {
  EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
  return *this;
}

Sha256& Sha256::add_sized(std::string_view bytes) {
  return add(std::to_string(bytes.size())).add(":").add(bytes);
}

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(state_->context, digest, &size);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

std::string sha256(std::string_view bytes) { return Sha256().add(bytes).hex(); }

std::string sha256_now(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    throw ExitError(Exit::kData, file.string() + ": cannot be read: " + std::strerror(errno));
  }
  Sha256 digest;
  std::vector<char> piece(kPiece);
  while (in.read(piece.data(), kPiece), in.gcount() > 0) {
    digest.add({piece.data(), static_cast<size_t>(in.gcount())});
  }
  if (in.bad()) {
    throw ExitError(Exit::kData, file.string() + ": reading failed before the end of the file");
  }
  return digest.hex();
}

std::string sha256_file(const fs::path& file) {
  return remembered(file, [&] { return sha256_now(file); });
}

std::string sha256_known(const fs::path& file, const fs::path& store) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0 || uintmax_t(status.st_size) < kLargeFile)
    return sha256_file(file);
  const std::string name = fs::weakly_canonical(file).string();
  const Json facts = {status.st_size,         status.st_ino,         status.st_mtim.tv_sec,
                      status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec};
  Json known = fs::exists(store) ? unsealed(read_text(store)) : Json();
  if (!known.is_object()) known = Json::object();
  if (known.contains(name) && known[name].at("facts") == facts)
    return remembered(file, [&] { return known[name].at("sha256").get<std::string>(); });
  std::string digest = sha256_file(file);
  // A file may change again within one tick of its clock and look the same.
  if (status.st_mtim.tv_sec + 2 > std::time(nullptr)) return digest;
  known[name] = {{"facts", facts}, {"sha256", digest}};
  fs::create_directories(store.parent_path());
  write_atomically(store, sealed(known));
  return digest;
}

std::string sha256_tree(const fs::path& path, const fs::path& store) {
  const auto of = [&](const fs::path& file) {
    return store.empty() ? sha256_file(file) : sha256_known(file, store);
  };
  if (!fs::is_directory(path)) return of(path);
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  Sha256 digest;
  for (const fs::path& file : files) {
    digest.add_sized(fs::relative(file, path).generic_string()).add(of(file));
  }
  return digest.hex();
}

}  // namespace attune
