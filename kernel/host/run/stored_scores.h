// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/host/engine_api.h"

namespace attune {

/// A folder of files with numbers of samples. A file bears its digest in its name: it is taken only as it was written.
class StoredScores {
 public:
  /// Numbers of sample indices[i] are starts[i] .. starts[i + 1].
  struct Part {
    std::string name;
    std::unique_ptr<Checkpoint> file;
    std::vector<int64_t> indices, starts;  ///< indices ascend
    std::optional<size_t> find(int64_t index) const;
  };

  /// Opens what is there and whole.
  StoredScores(std::filesystem::path folder, HostServices& host);

  const std::filesystem::path& folder() const { return folder_; }
  const std::vector<Part>& parts() const { return parts_; }
  /// Names of files with other bytes than were written.
  const std::vector<std::string>& damaged() const { return damaged_; }
  /// The part with a sample, or null.
  const Part* part_of(int64_t index) const;
  /// Samples, numbers and bytes of what is whole.
  struct Size {
    int64_t samples = 0, numbers = 0, bytes = 0;
  };
  Size size() const;

  /// A new file. `starts` begins with 0 and ends with the count of `numbers`.
  void add(const std::vector<int64_t>& indices, const std::vector<int64_t>& starts, const std::vector<float>& numbers);

 private:
  void open(const std::string& name);

  std::filesystem::path folder_;
  HostServices& host_;
  std::vector<Part> parts_;
  std::vector<std::string> damaged_;
};

}  // namespace attune
