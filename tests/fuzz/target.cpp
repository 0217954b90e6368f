// SPDX-License-Identifier: Apache-2.0
#include "fuzz/target.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace attune::fuzz {

std::string file_of(std::string_view bytes, const std::string& suffix) {
  static const std::string folder = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
  const std::string path = folder + "/attune-fuzz-" + std::to_string(getpid()) + suffix;
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0 || write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
  close(file);
  return path;
}

}  // namespace attune::fuzz
