// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/validate/world.h"

#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cfenv>
#include <clocale>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <locale>

#include "kernel/host/plugins/fp_mode.h"
#include "kernel/host/validate/child.h"

namespace attune::validate {
namespace {

namespace fs = std::filesystem;

std::string hex(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::vector<std::string> handlers() {
  std::vector<std::string> all;
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action{};
    if (number == SIGKILL || number == SIGSTOP || sigaction(number, nullptr, &action) != 0) continue;
    all.push_back("signal " + std::to_string(number) + " handled by " + hex(reinterpret_cast<uint64_t>(action.sa_handler)));
  }
  sigset_t blocked;
  pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  for (int number = 1; number < NSIG; ++number) {
    if (sigismember(&blocked, number) == 1) all.push_back("signal " + std::to_string(number) + " blocked");
  }
  return all;
}

std::vector<std::string> open_files() {
  std::vector<std::string> all;
  std::error_code error;
  for (fs::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end; entry.increment(error)) {
    const fs::path target = fs::read_symlink(entry->path(), error);
    if (!error && target.string().find("/proc/") != 0) all.push_back(entry->path().filename().string() + " -> " + target.string());
  }
  std::sort(all.begin(), all.end());
  return all;
}

int tasks() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/task")) ++count;
  return count;
}

std::vector<std::string> files_in(const fs::path& scratch) {
  std::vector<std::string> all;
  for (const char* below : {"cwd", "home", "tmp"}) {
    for (const auto& entry : fs::recursive_directory_iterator(scratch / below))
      all.push_back(entry.path().lexically_relative(scratch).string());
  }
  return all;
}

}  // namespace

World World::now(const std::string& scratch) {
  World made;
  made.output = output_size();
  made.locale = std::string(setlocale(LC_ALL, nullptr)) + (uselocale(nullptr) == LC_GLOBAL_LOCALE ? "" : ", and one of the thread's own") +
                ", std::locale \"" + std::locale().name() + "\"";
  made.floating_point = "control bits " + hex(fp_mode()) + ", rounding mode " + std::to_string(fegetround());
  made.signals = handlers();
  std::error_code ignored;
  made.working_directory = fs::current_path(ignored).string();
  for (char** entry = environ; entry && *entry; ++entry) made.environment.emplace_back(*entry);
  std::sort(made.environment.begin(), made.environment.end());
  made.umask = static_cast<int>(::umask(0));
  ::umask(static_cast<mode_t>(made.umask));
  made.descriptors = open_files();
  // A joined thread may take a moment to leave.
  made.threads = tasks();
  for (int wait = 0; wait < 50 && made.threads > 1; ++wait) usleep(1000), made.threads = tasks();
  made.files = files_in(scratch);
  return made;
}

std::string difference(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  std::string made;
  const auto add = [&](const std::string& text) { made += (made.empty() ? "" : ", ") + text; };
  for (const std::string& one : after) {
    if (std::find(before.begin(), before.end(), one) == before.end()) add(one);
  }
  for (const std::string& one : before) {
    if (std::find(after.begin(), after.end(), one) == after.end()) add("no longer " + one);
  }
  return made;
}

Memory Memory::now() {
  const auto heap = mallinfo2();
  size_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return {heap.uordblks + heap.hblkhd, resident * static_cast<size_t>(sysconf(_SC_PAGESIZE))};
}

Memory Memory::grown_by(const std::function<void()>& work, const Memory& allowed) {
  const auto difference = [](size_t from, size_t to) { return to > from ? to - from : 0; };
  Memory least{SIZE_MAX, SIZE_MAX};
  for (int round = 0; round < 6 && (least.heap > allowed.heap || least.resident > allowed.resident); ++round) {
    const Memory before = now();
    work();
    const Memory after = now();
    least = {std::min(least.heap, difference(before.heap, after.heap)), std::min(least.resident, difference(before.resident, after.resident))};
  }
  return least;
}

}  // namespace attune::validate
