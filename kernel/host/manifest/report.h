// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kernel/host/manifest/diagnostic.h"
#include "kernel/host/manifest/node.h"

namespace attune::manifest {

/// What the parts of a message say.
struct Words {
  std::string message;
  std::string label;
  std::string cure;
};

/// Collects mistakes while a manifest is read, so that one reading reports them all.
class Report {
 public:
  /// A mistake that was already reported at the same place with the same message is not repeated.
  void add(const Place& place, Words words, Severity severity = Severity::kError);
  bool empty() const { return found_.empty(); }
  /// Throws ManifestError where there is a mistake, sorted by text, line and column.
  void throw_if_any() const;
  /// In the same order.
  std::vector<Diagnostic> sorted() const;

 private:
  std::vector<std::pair<Place, Diagnostic>> found_;
};

}  // namespace attune::manifest
