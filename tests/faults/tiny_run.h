// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "faults/process.h"

namespace attune::testing {

/// A method on the tiny model of configs/tiny: what differs in its manifest.
struct TinyMethod {
  std::string name = "dpo";
  std::string algorithm = "use = \"dpo\"";
  std::string columns = "prompt = \"question\", chosen = \"better\", rejected = \"worse\"";
  std::string more = "";  ///< tables
};

/// Pairs and a manifest, from random weights: `steps` steps, a checkpoint every few.
inline fs::path write_tiny_run(const fs::path& folder, int steps, int every, const std::string& more = "", const TinyMethod& method = {}) {
  std::string rows;
  for (int i = 0; i < 24; ++i) {
    const std::string n = std::to_string(i);
    rows += "{\"question\": \"Say " + n + "\", \"better\": \"It is " + n + ", yes.\", \"worse\": \"No " + std::string(size_t(i % 5), 'o') + "\"}\n";
  }
  write_file(folder / "pairs.jsonl", rows);
  write_file(folder / "run.toml", R"(schema = 1
[run]
kind = "train"
name = "tiny"
seed = 3
output = "runs"
threads = 1
[model]
path = ")" + std::string(ATTUNE_SOURCE_DIR) + R"(/configs/tiny/model"
init = "random"
[[data.train]]
use = "columns"
path = "pairs.jsonl"
columns = { )" + method.columns + R"( }
[algorithm]
)" + method.algorithm + R"(
[optimizer]
use = "adamw"
learning_rate = 1e-3
)" + method.more + R"(
[train]
steps = )" + std::to_string(steps) + R"(
samples_per_step = 4
checkpoint = { every = )" + std::to_string(every) + R"(, keep = 2 }
)" + more);
  return folder / "run.toml";
}

}  // namespace attune::testing
