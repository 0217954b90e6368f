// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace attune::testing {
namespace fs = std::filesystem;

/// A folder of its own, gone with the object.
struct TemporaryFolder {
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "attune-test-XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~TemporaryFolder() { fs::remove_all(path); }
  fs::path path;
};

inline std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

inline void write_file(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// The attune binary as a child process; what it prints goes to a file.
class Attune {
 public:
  Attune(const std::vector<std::string>& arguments, fs::path output) : output_(std::move(output)) {
    pid_ = fork();
    if (pid_ == 0) {
      const int fd = open(output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
      dup2(fd, 1), dup2(fd, 2);
      const std::string binary = std::string(ATTUNE_BIN_DIR) + "/attune";
      std::vector<char*> argv = {const_cast<char*>(binary.c_str())};
      for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
      argv.push_back(nullptr);
      execv(binary.c_str(), argv.data());
      _exit(127);
    }
  }
  /// Exit code, or minus the signal.
  int wait() {
    if (!ended_) waitpid(pid_, &status_, 0);
    ended_ = true;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
  }
  bool ended() { return ended_ = ended_ || waitpid(pid_, &status_, WNOHANG) == pid_; }
  void kill(int signal = SIGKILL) {
    if (!ended()) ::kill(pid_, signal);
  }
  std::string printed() const { return read_file(output_); }

 private:
  fs::path output_;
  pid_t pid_;
  int status_ = 0;
  bool ended_ = false;
};

}  // namespace attune::testing
