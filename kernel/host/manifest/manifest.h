// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/host/json.h"
#include "kernel/host/manifest/catalogue.h"
#include "kernel/host/manifest/diagnostic.h"
#include "kernel/host/manifest/provenance.h"

namespace attune {

/// The value of an environment variable, or nothing where it is not set.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

struct ManifestOptions {
  std::vector<std::string> sets;  ///< "train.steps=50", in the order of the command line
  const Catalogue& catalogue;
  Environment environment = {};  ///< empty: no variable is set
};

/// A manifest that was checked and resolved: every key exists, paths are absolute, plugin options
/// are under "options".
///
/// Each entry of "stage" in a pipeline is complete: name, kind, the whole "run" table (kind is the
/// stage's, name and output the pipeline's) and each table that the stage's kind reads. The top
/// level of a pipeline keeps schema, run, plugins and stage.
struct Manifest {
  Json resolved;
  Sources sources;
  std::vector<std::string> files;    ///< the manifest, then its includes; absolute
  std::vector<std::string> secrets;  ///< JSON pointers into `resolved`

  /// `resolved` with "***" for secret values: what logs, locks and records may hold.
  Json redacted() const;
  /// The redacted value at "train.steps" or "data.train[0].path". Plugin options are found beside
  /// `use` and under "options" alike. Empty where there is none.
  std::optional<Json> value(std::string_view path) const;
  /// Where the value at the path comes from; null for what is made of several values.
  const Source* source(std::string_view path) const;
};

/// Reads, merges, checks and resolves. Opens no plugin. Throws ManifestError with every mistake.
/// Relative paths in --set start at the current folder; relative defaults at the manifest's folder.
Manifest load_manifest(const std::string& path, const ManifestOptions& options);

/// [plugins] path of a manifest, before there is a catalogue to check it against: absolute folders.
/// Throws ManifestError where the file, an include or a --set cannot be read; passes over all else.
std::vector<std::string> manifest_plugin_paths(const std::string& path,
                                               const std::vector<std::string>& sets = {},
                                               const Environment& environment = {});

}  // namespace attune
