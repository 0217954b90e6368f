// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "kernel/host/json.h"

namespace attune {

/// What a run's result depends on, so that a finished run need not be repeated and a killed one is resumed only by the
/// same run: the resolved manifest, every input file that it names, the host, the engine and the plugins.
struct Stamp {
  std::string digest;
  Json parts;  ///< {"manifest", "software", "inputs": {path: digest}}
};

/// `run` with references between stages resolved. `software` describes versions and digests of host, engine and plugins.
Stamp stamp_of(const Json& run, const Json& software);

/// What differs between two stamps' parts: "the manifest", "the software", "data/pairs.jsonl".
std::string difference(const Json& before, const Json& now);

/// The state of a run's folder, kept in state.json there.
class RunState {
 public:
  explicit RunState(std::filesystem::path folder) : file_(std::move(folder) / "state.json") {}

  enum class Found { kNothing, kSameUnfinished, kSameFinished, kOther };
  Found compare(const Stamp& stamp) const;
  /// Of what was found: what differs from `stamp`.
  std::string difference_to(const Stamp& stamp) const;
  void begin(const Stamp& stamp) const;
  void finish(const Stamp& stamp, const Json& results) const;
  /// Results of the finished run.
  Json results() const;

 private:
  Json read() const;
  void write(const Stamp& stamp, bool finished, const Json& results) const;

  std::filesystem::path file_;
};

}  // namespace attune
