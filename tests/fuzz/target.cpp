// SPDX-License-Identifier: Apache-2.0
#include "fuzz/target.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace attune::fuzz {

namespace {

namespace fs = std::filesystem;

/// In memory where the system has a folder there; gone when the process ends in order.
struct Folder {
  Folder() {
    std::string made = std::string(fs::is_directory("/dev/shm") ? "/dev/shm" : "/tmp") + "/attune-fuzz-XXXXXX";
    if (!mkdtemp(made.data())) std::abort();
    path = made;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  std::string path;
};

}  // namespace

std::string file_of(std::string_view bytes, const std::string& name) {
  static const Folder folder;
  const std::string path = folder.path + "/" + name;
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0 || write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
  close(file);
  return path;
}

}  // namespace attune::fuzz
