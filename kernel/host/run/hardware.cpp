// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/hardware.h"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace attune {
namespace {

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != line.npos) return line.substr(colon + 2);
  }
  utsname name{};
  return ::uname(&name) == 0 ? name.machine : "unknown";
}

int64_t cores() {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
  return ::sysconf(_SC_NPROCESSORS_ONLN);
}

/// The first number in a file; 0 where there is none, as in "max".
int64_t number_in(const std::string& file) {
  std::ifstream in(file);
  int64_t number = 0;
  return in >> number ? number : 0;
}

/// The least of the limits that control groups set on this process, version 2 or 1; 0: none.
int64_t group_limit() {
  int64_t least = 0;
  const auto take = [&](const std::string& file) {
    const int64_t limit = number_in(file);
    if (limit > 0 && (least == 0 || limit < least)) least = limit;
  };
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool unified = controllers.empty();
    if (!unified && controllers.find("memory") == controllers.npos) continue;
    const std::string root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const char* name = unified ? "/memory.max" : "/memory.limit_in_bytes";
    // Within a container the process's own group is the root of what is mounted.
    take(root + name);
    for (std::string group = line.substr(second + 1); group.size() > 1;
         group.resize(group.rfind('/')))
      take(root + group + name);
  }
  return least;
}

int64_t usable_memory() {
  const int64_t machine = int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGE_SIZE);
  const int64_t limit = group_limit();
  return limit > 0 ? std::min(limit, machine) : machine;
}

}  // namespace

Json hardware() {
  return {{"cpu", cpu_model()},
          {"cores", cores()},
          {"memory_bytes", usable_memory()}};
}

}  // namespace attune
