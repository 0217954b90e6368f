// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/manifest/report.h"

#include <algorithm>
#include <tuple>

namespace attune::manifest {
namespace {

auto position(const Place& place) {
  return std::tuple(place.text ? place.text->order : -1, place.line, place.column);
}

std::string line_of(const Place& place) {
  if (!place.text || place.line < 1) return "";
  const size_t index = static_cast<size_t>(place.line) - 1;
  return index < place.text->lines.size() ? place.text->lines[index] : "";
}

}  // namespace

void Report::add(const Place& place, Words words, Severity severity) {
  const bool known = std::ranges::any_of(found_, [&](const auto& entry) {
    return position(entry.first) == position(place) && entry.second.message == words.message;
  });
  if (known) return;
  found_.emplace_back(place, Diagnostic{
                                 .file = place.text ? place.text->name : "",
                                 .line = place.text && !place.text->numbered ? 0 : place.line,
                                 .column = place.column,
                                 .length = place.length,
                                 .message = std::move(words.message),
                                 .label = std::move(words.label),
                                 .cure = std::move(words.cure),
                                 .source_line = line_of(place),
                                 .severity = severity,
                             });
}

std::vector<Diagnostic> Report::sorted() const {
  auto found = found_;
  std::ranges::stable_sort(found, {}, [](const auto& entry) { return position(entry.first); });
  std::vector<Diagnostic> diagnostics;
  for (auto& [place, diagnostic] : found) diagnostics.push_back(std::move(diagnostic));
  return diagnostics;
}

void Report::throw_if_any() const {
  if (!empty()) throw ManifestError(sorted());
}

}  // namespace attune::manifest
