// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/host/json.h"
#include "kernel/host/trust/gate.h"

namespace attune {

/// What a run is made of, to the bit: `FILE.lock` beside a manifest.
struct Lock {
  struct File {
    std::string role;  ///< host | engine | plugin | library | manifest | input
    std::string name;  ///< a plugin's id, else a path: relative below the lock's folder
    std::string sha256;
    // Not written:
    std::string path = {};      ///< where it was found
    std::string identity = {};  ///< other wherever the file's bytes may have changed since
  };
  std::vector<File> files;  ///< in the order of roles, then of names
  Json values;              ///< resolved manifest, "train.steps" -> 50; secrets masked
};

std::string lock_text(const Lock& lock);
/// Throws ExitError(kTrust) naming `file` where the text is no lock.
Lock parse_lock(std::string_view text, const std::string& file);

/// One line each: "input data/pairs.jsonl: SHA-256 ... in the lock, ... now".
std::vector<std::string> differences(const Lock& locked, const Lock& now);

/// The code in a lock, for the gate.
Gate::Pinned pinned(const Lock& lock);

}  // namespace attune
