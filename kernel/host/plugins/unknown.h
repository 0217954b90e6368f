// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kernel/host/plugins/sealed_file.h"

namespace attune {

/// Which plugins a child process tries before this one opens them: those outside the installation
/// whose bytes have not passed before. By default, none.
class Unknown {
 public:
  Unknown() = default;
  /// `known`: the installation's folder. `memory`: a folder of empty files, named by the SHA-256 of
  /// what passed; "" remembers nothing. A wrong one spares a probe, and no other check.
  Unknown(std::string known, std::string memory);

  bool applies(const SealedFile& file) const;
  void passed(const SealedFile& file) const;

 private:
  bool on_ = false;
  std::string known_, memory_;
};

}  // namespace attune
