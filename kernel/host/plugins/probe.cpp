// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/probe.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "kernel/host/plugins/probe_child.h"

namespace attune {
namespace {

using probing::Words;

struct SharedWords {
  SharedWords()
      : words(static_cast<Words*>(mmap(nullptr, sizeof(Words), PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    if (words == MAP_FAILED) throw Error("no memory to probe a plugin", ATTUNE_E_NOMEM);
  }
  ~SharedWords() { munmap(words, sizeof(Words)); }
  Words* words;
};

/// Whether the process ended in time; it is gone afterwards, and what it started with it.
bool wait_for(pid_t child, double seconds, int& status) {
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
  pollfd ended{handle, POLLIN, 0};
  const bool in_time =
      handle < 0 || poll(&ended, 1, static_cast<int>(seconds * 1000)) != 0;
  if (handle >= 0) close(handle);
  if (!in_time) kill(child, SIGKILL);
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  kill(-child, SIGKILL);
  return in_time;
}

std::string ending(int status) {
  if (WIFSIGNALED(status)) {
    return "signal " + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) +
           ") ended the process";
  }
  return "it ended the process with exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

std::optional<Refusal> probe(const PluginInfo& plugin, const SealedFile& file,
                             const ProbeLimits& limits) {
  if (plugin.tier == Tier::kTorch && limits.engine.path.empty()) return std::nullopt;
  const SharedWords shared;
  Words& words = *shared.words;
  const pid_t child = fork();
  if (child < 0) throw Error("no process to probe " + plugin.file, ATTUNE_E_NOMEM);
  if (child == 0) probing::run(plugin, file, limits, words);
  int status = 0;
  const bool in_time = wait_for(child, limits.seconds, status);

  const std::string during = std::string(" during ") + words.doing;
  const std::string cure = "do not load this file; report it to the plugin's author";
  if (words.rule[0]) return Refusal{words.rule, plugin.file, words.expected, words.found + during, cure};
  if (!in_time) {
    char limit[32];
    std::snprintf(limit, sizeof limit, "%g s", limits.seconds);
    return Refusal{"P-19", plugin.file, std::string("an answer within ") + limit, "none" + during, cure};
  }
  if (!words.done)
    return Refusal{"P-11", plugin.file, "functions that return", ending(status) + during, cure};
  return std::nullopt;
}

}  // namespace attune
