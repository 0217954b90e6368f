// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/validate/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace attune::validate {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLimitsMemory = false;  // Shadow memory is address space as well.
#else
constexpr bool kLimitsMemory = true;
#endif

/// Shared with the child, so that its last words outlive it.
struct Words {
  char doing[512];
  char with[256];
};
Words* words = nullptr;

void keep(const std::string& text, char* into, size_t room) {
  const size_t size = std::min(text.size(), room - 1);
  memcpy(into, text.data(), size);
  into[size] = 0;
}

/// A folder that goes with its object.
struct Scratch {
  Scratch() {
    std::string made = (fs::temp_directory_path() / "attune_validate_XXXXXX").string();
    if (!mkdtemp(made.data())) throw Error("a temporary folder cannot be made in " + fs::temp_directory_path().string(), ATTUNE_E_IO);
    path = made;
    for (const char* below : {"cwd", "home", "tmp", "out"}) fs::create_directory(path / below);
  }
  ~Scratch() {
    std::error_code ignored;
    fs::permissions(path / "out", fs::perms::owner_all, ignored);
    fs::remove_all(path, ignored);
  }
  fs::path path;
};

size_t address_space() {
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

void limit(int resource, size_t value) {
  const rlimit wanted{value, value};
  setrlimit(resource, &wanted);
}

void move_in(const fs::path& scratch, int output, const Limits& limits) {
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  if (chdir((scratch / "cwd").c_str()) != 0) _exit(3);
  setenv("HOME", (scratch / "home").c_str(), 1);
  setenv("TMPDIR", (scratch / "tmp").c_str(), 1);
  setenv("XDG_CACHE_HOME", (scratch / "home").c_str(), 1);
  setenv("XDG_DATA_HOME", (scratch / "home").c_str(), 1);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, size_t{1} << 30);
  if (kLimitsMemory && limits.memory > 0) limit(RLIMIT_AS, address_space() + limits.memory);
  for (const int number : {SIGINT, SIGTERM}) signal(number, SIG_DFL);
}

/// 'P', 'F' or 'S', and the reason.
std::string outcome(const std::function<void()>& body) {
  try {
    body();
    return "P";
  } catch (const Skipped& skipped) {
    return std::string("S") + skipped.what();
  } catch (const std::bad_alloc&) {
    return "Fthe memory that a test may take is not enough";
  } catch (const std::exception& failed) {
    return std::string("F") + failed.what();
  } catch (...) {
    return "Fan exception that is no std::exception left the plugin";
  }
}

[[noreturn]] void child(const std::function<void(const std::string&)>& body, const fs::path& scratch, int output, int pipe,
                        const Limits& limits) {
  setpgid(0, 0);
  move_in(scratch, output, limits);
  const std::string said = outcome([&] { body(scratch.string()); });
  for (size_t done = 0; done < said.size();) {
    const ssize_t wrote = write(pipe, said.data() + done, said.size() - done);
    if (wrote <= 0) break;
    done += static_cast<size_t>(wrote);
  }
  // Nothing of the plugin runs after its test.
  _exit(0);
}

/// All that the child says, until it closes the pipe or time is up.
std::string listen(int pipe, Clock::time_point until, bool& late) {
  std::string said;
  char buffer[4096];
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd wait{pipe, POLLIN, 0};
    if (left <= 0 || poll(&wait, 1, static_cast<int>(left)) == 0) return late = true, said;
    const ssize_t got = read(pipe, buffer, sizeof buffer);
    if (got <= 0) return said;
    said.append(buffer, static_cast<size_t>(got));
  }
}

std::string last_output(int output) {
  struct stat status{};
  fstat(output, &status);
  char buffer[400];
  const off_t from = status.st_size > static_cast<off_t>(sizeof buffer) ? status.st_size - static_cast<off_t>(sizeof buffer) : 0;
  const ssize_t got = pread(output, buffer, sizeof buffer, from);
  std::string text(buffer, got > 0 ? static_cast<size_t>(got) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.empty() ? "" : "\nits last output: " + text;
}

std::string ending(int status) {
  if (WIFSIGNALED(status))
    return "ended the process by signal " + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
  return "ended the process with exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

size_t output_size() {
  fflush(nullptr);
  struct stat status{};
  return fstat(STDOUT_FILENO, &status) == 0 ? static_cast<size_t>(status.st_size) : 0;
}

void doing(const std::string& what) {
  if (words) keep(what, words->doing, sizeof words->doing);
}

void with(const std::string& what) {
  if (words) keep(what, words->with, sizeof words->with);
}

Verdict in_child(const std::function<void(const std::string& scratch)>& body, const Limits& limits) {
  if (!words) {
    void* const shared = mmap(nullptr, sizeof(Words), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) throw Error("no memory for the test process", ATTUNE_E_NOMEM);
    words = static_cast<Words*>(shared);
  }
  doing("");
  with("");
  const Scratch scratch;
  const int output = memfd_create("output", MFD_CLOEXEC);
  int ends[2];
  if (output < 0 || pipe2(ends, O_CLOEXEC) != 0) throw Error("no pipe for the test process", ATTUNE_E_IO);
  fflush(nullptr);
  const auto begin = Clock::now();
  const pid_t pid = fork();
  if (pid < 0) throw Error("no process for a test", ATTUNE_E_NOMEM);
  if (pid == 0) {
    close(ends[0]);
    child(body, scratch.path, output, ends[1], limits);
  }
  close(ends[1]);
  bool late = false;
  const std::string said = listen(ends[0], begin + std::chrono::milliseconds(static_cast<int64_t>(limits.seconds * 1000)), late);
  close(ends[0]);
  if (late) kill(-pid, SIGKILL), kill(pid, SIGKILL);
  int status = 0;
  waitpid(pid, &status, 0);
  kill(-pid, SIGKILL);  // What it may have left behind.

  Verdict made;
  made.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const std::string where =
      (words->doing[0] ? std::string(words->doing) : "it") + (words->with[0] ? " with " + std::string(words->with) : "") + " ";
  if (late) {
    made.state = State::kFail;
    made.why = where + "did not end within " + std::to_string(static_cast<int>(limits.seconds)) + " s";
  } else if (said.empty()) {
    made.state = State::kFail;
    made.why = where + ending(status) + last_output(output);
  } else {
    made.state = said[0] == 'P' ? State::kPass : said[0] == 'S' ? State::kSkip : State::kFail;
    made.why = said.substr(1);
  }
  close(output);
  return made;
}

}  // namespace attune::validate
