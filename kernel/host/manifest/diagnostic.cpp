// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/manifest/diagnostic.h"

#include <algorithm>

namespace attune {
namespace {

std::string text_of(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) {
    if (!text.empty()) text += "\n\n";
    text += format(diagnostic);
  }
  return text;
}

Exit exit_of(const std::vector<Diagnostic>& diagnostics) {
  const auto missing = [](const Diagnostic& d) { return d.severity == Severity::kPluginMissing; };
  return std::ranges::all_of(diagnostics, missing) ? Exit::kPluginMissing : Exit::kManifest;
}

// White space that is as wide as the first `columns` code points of the line.
std::string indent(std::string_view line, int columns) {
  std::string text;
  for (const char c : line) {
    if ((c & 0xC0) == 0x80) continue;
    if (static_cast<int>(text.size()) == columns) break;
    text += c == '\t' ? '\t' : ' ';
  }
  text.resize(columns, ' ');
  return text;
}

}  // namespace

std::string format(const Diagnostic& diagnostic) {
  const std::string number = diagnostic.line > 0 ? std::to_string(diagnostic.line) : " ";
  const std::string gutter(number.size(), ' ');
  std::string text = "error: " + diagnostic.message + "\n" + gutter + "--> " + diagnostic.file;
  if (diagnostic.line > 0) {
    text += ":" + number + ":" + std::to_string(diagnostic.column);
  }
  if (diagnostic.column > 0) {
    text += "\n" + number + " | " + diagnostic.source_line;
    text += "\n" + gutter + " | " + indent(diagnostic.source_line, diagnostic.column - 1);
    text += std::string(std::max(1, diagnostic.length), '^');
    if (!diagnostic.label.empty()) text += " " + diagnostic.label;
  }
  if (!diagnostic.cure.empty()) text += "\n" + gutter + " = help: " + diagnostic.cure;
  return text;
}

ManifestError::ManifestError(std::vector<Diagnostic> diagnostics)
    : ExitError(exit_of(diagnostics), text_of(diagnostics)), diagnostics_(std::move(diagnostics)) {}

}  // namespace attune
