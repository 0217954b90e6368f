// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/unknown.h"

#include <filesystem>
#include <fstream>

namespace attune {
namespace {

namespace fs = std::filesystem;

}  // namespace

Unknown::Unknown(std::string known, std::string memory)
    : on_(true), known_(std::move(known)), memory_(std::move(memory)) {}

bool Unknown::applies(const SealedFile& file) const {
  if (!on_) return false;
  std::error_code ignored;
  const fs::path folder = fs::weakly_canonical(file.path(), ignored).parent_path();
  if (folder == fs::weakly_canonical(known_, ignored)) return false;
  return memory_.empty() || !fs::exists(fs::path(memory_) / file.sha256(), ignored);
}

void Unknown::passed(const SealedFile& file) const {
  if (!on_ || memory_.empty()) return;
  // Where it cannot be remembered, it is probed again.
  std::error_code ignored;
  fs::create_directories(memory_, ignored);
  std::ofstream(fs::path(memory_) / file.sha256());
}

}  // namespace attune
