// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kernel/host/json.h"

namespace attune {

/// What record.toml says of a run, beside the machine it ran on.
struct RecordFacts {
  Json manifest = nullptr;  ///< resolved, without secrets
  std::string command_line = {};
  Json software = nullptr;  ///< versions and digests of host, engine, plugins
  Json notes = nullptr;     ///< digests of inputs, dropped rows
  std::string start = {};   ///< "2026-02-03T04:05:06Z"
  std::string end = {};     ///< empty until the run ends
  Json results = nullptr;   ///< null until the run ends
};

/// Writes record.toml and manifest.toml into the run's folder, each as a whole: as the run begins,
/// and again as it ends.
void write_record(const std::string& folder, const RecordFacts& facts);

/// A resolved manifest as a person writes it: options of plugins beside `use`.
Json written_manifest(Json resolved);

/// The same as TOML. It can be run again.
std::string manifest_toml(Json resolved);

}  // namespace attune
