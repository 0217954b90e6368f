// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "kernel/host/exit.h"
#include "kernel/host/services/digest.h"
#include "kernel/host/services/durable_file.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 2;

std::string text_of(const Json& document, int indent) {
  return document.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string seal_of(const Json& document) { return sha256(text_of(document, -1)); }

class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (fd_ < 0) fail_with_errno(path, "opening");
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

void fail_with_errno(const fs::path& path, const std::string& doing) {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  throw ExitError(Exit::kRunFailed,
                  path.string() + ": " + doing + " failed: " + std::strerror(error) +
                      (full ? "; make room and run again: nothing complete was lost" : ""),
                  ATTUNE_E_IO);
}

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

std::string sealed(Json document) {
  document["format"] = kFormat;
  document["seal"] = seal_of(document);
  return text_of(document, 1) + "\n";
}

Json unsealed(const std::string& text) {
  Json document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object() || !document.contains("seal")) return nullptr;
  const Json seal = document["seal"];
  document.erase("seal");
  return seal == seal_of(document) && document.value("format", 0) == kFormat ? document
                                                                             : Json(nullptr);
}

void write_atomically(const fs::path& file, std::string_view text) {
  const fs::path staging = file.string() + ".staging-" + std::to_string(::getpid());  // Others may write it too.
  DurableFile out(staging);
  out.append(text);
  out.finish();
  fs::rename(staging, file);
  sync_path(file.has_parent_path() ? file.parent_path() : fs::path("."));
}

void sync_path(const fs::path& path) {
  const Descriptor opened(path, O_RDONLY);
  if (::fsync(opened.get()) != 0 && errno != EINVAL) fail_with_errno(path, "syncing");
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
