// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <stdexcept>
#include <string>

namespace attune::testing {

/// What a program printed, standard error included, and its exit code.
struct Outcome {
  int code = -1;
  std::string text;
};

/// Runs a shell line in which `attune` is the binary of this build.
/// What it measures once is kept beside it.
inline Outcome shell(const std::string& line) {
  const std::string path = "PATH=\"" ATTUNE_BIN_DIR ":$PATH\" XDG_CACHE_HOME=\"" ATTUNE_BIN_DIR
                           "/cache\"; export PATH XDG_CACHE_HOME; { " +
                           line + "\n} 2>&1";
  FILE* pipe = ::popen(path.c_str(), "r");
  if (!pipe) throw std::runtime_error("no shell");
  Outcome outcome;
  char piece[4096];
  for (size_t n; (n = std::fread(piece, 1, sizeof piece, pipe)) > 0;) outcome.text.append(piece, n);
  const int status = ::pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace attune::testing
