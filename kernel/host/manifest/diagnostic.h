// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernel/host/exit.h"

namespace attune {

enum class Severity { kError, kPluginMissing };

/// One mistake in a manifest: where, what, what was expected, and the cure.
struct Diagnostic {
  std::string file;  ///< as given, or "--set path=value"
  int line = 0;      ///< from 1; 0: the whole file, or a --set
  int column = 0;    ///< from 1, in code points
  int length = 1;    ///< code points to underline
  std::string message;
  std::string label;  ///< stands beside the underline; may be empty
  std::string cure;   ///< may be empty
  std::string source_line;
  Severity severity = Severity::kError;
};

/// The lines that a person reads, without a last newline:
///
///     error: unknown key `lerning_rate`
///       --> runs/a.toml:41:1
///     41 | lerning_rate = 3e-4
///        | ^^^^^^^^^^^^ not a key of [optimizer]
///        = help: did you mean `learning_rate`? (float, required)
std::string format(const Diagnostic& diagnostic);

/// Everything that is wrong with a manifest, in file order. Exits with kPluginMissing where plugins
/// are all that is missing, else with kManifest.
class ManifestError : public ExitError {
 public:
  explicit ManifestError(std::vector<Diagnostic> diagnostics);
  const std::vector<Diagnostic>& diagnostics() const noexcept { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace attune
