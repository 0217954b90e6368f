// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kernel/host/json.h"

namespace attune {

/// A value that another file, a stage or the command line replaced.
struct Replaced {
  Json value;
  std::string file;
  int line = 0;
  int column = 0;
};

/// Where a value comes from. `file` is "default" where nobody wrote it, "--set path=value" where
/// the command line did (line 0).
struct Source {
  std::string file;
  int line = 0;
  int column = 0;
  std::vector<Replaced> shadowed;  ///< the oldest first
};

/// By the path as a manifest writes it: "train.steps", "algorithm.beta", "data.train[0].path",
/// "stage[1].train.steps".
using Sources = std::map<std::string, Source>;

}  // namespace attune
