// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/sealed_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "attune/error.h"
#include "kernel/host/services/digest.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

namespace attune {
namespace {

constexpr off_t kMost = off_t{1} << 30;
constexpr int kSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

[[noreturn]] void give_up(const std::string& path, const std::string& what) {
  throw Error(path + ": " + what, ATTUNE_E_IO);
}

std::string cause() { return std::generic_category().message(errno); }

/// A descriptor that is closed at the end of its scope.
struct Descriptor {
  explicit Descriptor(int n) : number(n) {}
  ~Descriptor() {
    if (number >= 0) close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number;
};

/// Named like the file, for /proc/PID/maps. Kernels before 6.3 know no MFD_EXEC.
int memory_file(const std::string& path) {
  const std::string name = std::filesystem::path(path).filename().string().substr(0, 240);
  const int made = memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  return made >= 0 || errno != EINVAL ? made
                                      : memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

void copy(int from, int to, const std::string& path) {
  for (off_t copied = 0;;) {
    const ssize_t n = sendfile(to, from, nullptr, size_t{1} << 24);
    if (n == 0) return;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) give_up(path, "cannot be read: " + cause());
    copied += n;
    if (copied > kMost) give_up(path, "expected at most 1 GiB, found more");
  }
}

}  // namespace

SealedFile::SealedFile(const std::string& path) : path_(path) {
  // A pipe must not make the process wait for its writer.
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number < 0) give_up(path, "cannot open: " + cause());
  struct stat status {};
  if (fstat(file.number, &status) != 0 || !S_ISREG(status.st_mode))
    give_up(path, "expected a regular file");
  if (status.st_size > kMost) give_up(path, "expected at most 1 GiB, found more");
  world_writable_ = (status.st_mode & S_IWOTH) != 0;

  Descriptor memory(memory_file(path));
  if (memory.number < 0) {
    give_up(path, "no executable file in memory: " + cause() +
                      "; attune needs memfd_create, and sysctl vm.memfd_noexec below 2");
  }
  copy(file.number, memory.number, path);
  if (access("/proc/self/fd", X_OK) != 0)
    give_up(path, "cannot be loaded from memory: attune needs /proc to be mounted");
  if (fcntl(memory.number, F_ADD_SEALS, kSeals) != 0)
    give_up(path, "the copy in memory cannot be sealed: " + cause());
  fstat(memory.number, &status);
  const auto size = static_cast<size_t>(status.st_size);
  if (size > 0) {
    void* const data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, memory.number, 0);
    if (data == MAP_FAILED) give_up(path, "cannot be mapped: " + cause());
    bytes_ = {static_cast<const std::byte*>(data), size};
  }
  memory_ = std::exchange(memory.number, -1);
}

SealedFile::~SealedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  close(memory_);
}

const std::string& SealedFile::sha256() const {
  if (sha256_.empty())
    sha256_ = attune::sha256({reinterpret_cast<const char*>(bytes_.data()), bytes_.size()});
  return sha256_;
}

std::string SealedFile::loadable() const {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(memory_);
}

}  // namespace attune
