// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "kernel/host/exit.h"

namespace attune {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(200);

/// `is_locked` holds the lock for an instant: that is waited for.
bool take(int fd) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK || std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace

FolderLock::FolderLock(const std::string& folder)
    : fd_(::open((folder + "/.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (fd_ >= 0 && take(fd_)) return;
  if (fd_ >= 0) ::close(fd_);
  throw ExitError(Exit::kRunFailed,
                  folder +
                      ": another process runs here, or the folder cannot be written. Wait for it, "
                      "or give this run another run.name");
}

FolderLock::~FolderLock() { ::close(fd_); }

bool is_locked(const std::string& folder) {
  const int fd = ::open((folder + "/.lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool held = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return held;
}

}  // namespace attune
