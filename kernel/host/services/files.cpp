// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "kernel/host/exit.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const std::string& doing) {
  const int error = errno;
  std::string cure;
  if (error == ENOSPC) cure = "; free some space and run again: nothing complete was lost";
  throw ExitError(Exit::kRunFailed,
                  path.string() + ": " + doing + " failed: " + std::strerror(error) + cure);
}

class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (fd_ < 0) fail(path, "opening");
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf(), !in.bad())) {
    throw ExitError(Exit::kData, file.string() + ": cannot be read: " + std::strerror(errno));
  }
  return text.str();
}

Json read_json(const fs::path& file) {
  try {
    return Json::parse(read_text(file));
  } catch (const Json::parse_error& error) {
    throw ExitError(Exit::kData, file.string() + ": is no JSON: " + error.what());
  }
}

void write_atomically(const fs::path& file, std::string_view text) {
  const fs::path staging = file.string() + ".staging";
  {
    const Descriptor out(staging, O_WRONLY | O_CREAT | O_TRUNC);
    for (size_t done = 0; done < text.size();) {
      const ssize_t n = ::write(out.get(), text.data() + done, text.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(file, "writing");
      done += static_cast<size_t>(n);
    }
    if (::fsync(out.get()) != 0) fail(file, "syncing");
  }
  fs::rename(staging, file);
  sync_path(file.has_parent_path() ? file.parent_path() : fs::path("."));
}

void sync_path(const fs::path& path) {
  const Descriptor opened(path, O_RDONLY);
  if (::fsync(opened.get()) != 0 && errno != EINVAL) fail(path, "syncing");
}

StagedFolder::StagedFolder(fs::path target)
    : target_(std::move(target)),
      staging_(target_.string() + ".staging-" + std::to_string(::getpid())) {
  if (fs::exists(target_)) {
    throw ExitError(Exit::kUsage, target_.string() +
                                      " exists already; it is never overwritten. Remove it, or "
                                      "name another folder");
  }
  fs::create_directories(staging_);
}

StagedFolder::~StagedFolder() {
  std::error_code ignored;
  if (!published_) fs::remove_all(staging_, ignored);
}

void StagedFolder::publish() {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(staging_)) {
    sync_path(entry.path());
  }
  sync_path(staging_);
  if (fs::exists(target_)) {
    throw ExitError(Exit::kUsage, target_.string() + " came into being meanwhile; it is kept");
  }
  fs::rename(staging_, target_);
  const fs::path parent = fs::absolute(target_).parent_path();
  sync_path(parent);
  published_ = true;
}

}  // namespace attune
