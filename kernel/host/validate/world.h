// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace attune::validate {

/// What a process shares with its plugins, and no plugin may change.
struct World {
  std::string locale, working_directory;
  std::string floating_point;
  std::vector<std::string> signals, environment, descriptors;
  int threads = 0;
  int umask = 0;
  size_t output = 0;               ///< bytes written to standard output and error
  std::vector<std::string> files;  ///< below the scratch folder's cwd, home and tmp

  static World now(const std::string& scratch);
};

/// "A, B": items of `after` that `before` has not, then those that are gone, each with "no longer".
std::string difference(const std::vector<std::string>& before, const std::vector<std::string>& after);

/// Bytes on the heap that are in use, and resident memory.
struct Memory {
  size_t heap = 0, resident = 0;
  static Memory now();

  /**
   * The least that a round of `work` grows by, of up to six, fewer where one stays within `allowed`: tables and caches that are kept grow in some
   * rounds, a leak in each.
   */
  static Memory grown_by(const std::function<void()>& work, const Memory& allowed);
};

}  // namespace attune::validate
