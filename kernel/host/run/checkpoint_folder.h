// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "kernel/host/json.h"

/// The folder `checkpoints/` of a run: `step-000100/` holds state.safetensors and state.json. The
/// order is that of the steps; no clock takes part.
namespace attune {

struct CheckpointEntry {
  std::filesystem::path path;
  int64_t step = 0;
  /// state.json: {"format", "step", "run", "sha256" of the tensors, "numbers", "metrics", "policy"};
  /// null where
  /// it is missing or is not what was written.
  Json document;
};

/// "step-000100".
std::string checkpoint_name(int64_t step);

/// Every checkpoint, whole or not, by step.
std::vector<CheckpointEntry> checkpoints_in(const std::filesystem::path& folder);

/// Why a checkpoint is not what was written; empty: it is. Reads all of it.
std::string fault_of(const CheckpointEntry& entry);

/// Removes a checkpoint; a killed process leaves none in halves.
void remove_checkpoint(const std::filesystem::path& path);

/// What killed processes left of writing and removing.
void remove_leftovers(const std::filesystem::path& folder);

/// Which checkpoints stay: the table train.checkpoint.
struct Retention {
  int64_t keep = 2;        ///< the newest
  int64_t keep_every = 0;  ///< those whose step is a multiple; 0: none
  int64_t keep_best = 0;   ///< those with the best values of the metric `best`
  std::string best;
  bool highest = false;  ///< best is highest

  static Retention from(const Json& table);
  /// step -> why it stays ("newest", "every 1000", "best eval/loss"); the others may go. An entry
  /// without a document has no reason to stay.
  std::map<int64_t, std::string> reasons(const std::vector<CheckpointEntry>& entries) const;
};

}  // namespace attune
