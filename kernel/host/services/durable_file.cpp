// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "kernel/host/services/files.h"

namespace attune {
namespace {

constexpr size_t kPiece = size_t{8} << 20;

}  // namespace

DurableFile::DurableFile(std::filesystem::path path)
    : path_(std::move(path)),
      fd_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
  if (fd_ < 0) fail_with_errno(path_, "opening");
}

DurableFile::~DurableFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(path_.c_str());
}

void DurableFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd_, bytes.data(), std::min(bytes.size(), kPiece));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) fail_with_errno(path_, "writing");
    digest_.add(bytes.substr(0, size_t(wrote)));
    bytes.remove_prefix(size_t(wrote));
  }
}

std::string DurableFile::finish() {
  if (::fsync(fd_) != 0) fail_with_errno(path_, "syncing");
  if (::close(std::exchange(fd_, -1)) != 0) fail_with_errno(path_, "closing");
  return digest_.hex();
}

}  // namespace attune
