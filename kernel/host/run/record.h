// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kernel/host/json.h"

namespace attune {

/// What record.toml says of a run, beside the machine it ran on.
struct RecordFacts {
  Json manifest;  ///< resolved, without secrets
  std::string command_line;
  Json software;           ///< versions and digests of host, engine, plugins
  Json notes;              ///< digests of inputs, dropped rows
  std::string start, end;  ///< "2026-02-03T04:05:06Z"
  Json results;
};

/// Writes record.toml and manifest.toml into the run's folder, each as a whole.
void write_record(const std::string& folder, const RecordFacts& facts);

/// A resolved manifest as a person writes it: options of plugins beside `use`. It can be run again.
std::string manifest_toml(Json resolved);

}  // namespace attune
