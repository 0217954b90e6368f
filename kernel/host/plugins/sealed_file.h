// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace attune {

/// A copy of a file in memory that nobody can change any more. The file is opened once; what is
/// checked here is what is loaded, whatever becomes of the path meanwhile.
class SealedFile {
 public:
  /// Throws Error where the path is no regular file that can be read, or is larger than 1 GiB.
  explicit SealedFile(const std::string& path);
  ~SealedFile();
  SealedFile(const SealedFile&) = delete;
  SealedFile& operator=(const SealedFile&) = delete;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  /// Anyone on the machine may write to the file.
  bool world_writable() const { return world_writable_; }
  /// In hex.
  const std::string& sha256() const;

  /// What the dynamic loader opens to map these very bytes: /proc/PID/fd/N, which a debugger of the
  /// same user can open as well. It names this file as long as the object lives.
  std::string loadable() const;
  /// The descriptor, for a child process.
  int descriptor() const { return memory_; }

 private:
  std::string path_;
  int memory_ = -1;
  std::span<const std::byte> bytes_;
  bool world_writable_ = false;
  mutable std::string sha256_;
};

}  // namespace attune
