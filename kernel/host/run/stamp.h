// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "kernel/host/json.h"

namespace attune {

/// What a run's result depends on, so that a finished run need not be repeated and a killed one is
/// resumed only by the same run: the resolved manifest, every input file that it names, the host,
/// the engine and the plugins.
struct Stamp {
  std::string digest;
  Json parts;  ///< {"manifest", "software", "inputs": {path: digest}}
};

/// `run` with references between stages resolved. `software` describes versions and digests of
/// host, engine and plugins. Digests of large inputs are kept in the file `store`; empty: in none.
Stamp stamp_of(const Json& run, const Json& software, const std::filesystem::path& store = {});

/// A resolved run without what cannot change its result, and without what says how to go on after a fault.
Json essence(Json run);

/// What differs between two stamps' parts: "the manifest", "the software", "data/pairs.jsonl".
std::string difference(const Json& before, const Json& now);

/// Whose results a folder holds: begun.json has the stamp of the run that began there, done.json
/// that of the run that ended.
class RunState {
 public:
  explicit RunState(const std::filesystem::path& folder)
      : begun_(folder / "begun.json"), done_(folder / "done.json") {}

  enum class Found { kNothing, kSameUnfinished, kSameFinished, kOther };
  /// Whether any run has ended there.
  bool finished() const { return std::filesystem::exists(done_); }
  Found compare(const Stamp& stamp) const;
  /// Of what was found: what differs from `stamp`.
  std::string difference_to(const Stamp& stamp) const;
  void begin(const Stamp& stamp) const;
  void finish(const Stamp& stamp, const Json& results) const;
  /// Results of the finished run.
  Json results() const;

 private:
  std::filesystem::path begun_, done_;
};

}  // namespace attune
