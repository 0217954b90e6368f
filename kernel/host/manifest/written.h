// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <list>
#include <string>
#include <vector>

#include "kernel/host/manifest/manifest.h"
#include "kernel/host/manifest/node.h"
#include "kernel/host/manifest/report.h"

namespace attune::manifest {

/// What people wrote, before it is checked: a file, its includes and --set, merged.
struct Written {
  std::list<SourceText> texts;  ///< the places of `root` point here
  std::vector<std::string> files;
  Node root;
};

/// Reads the file and what it includes. Throws ManifestError where a file cannot be read as TOML,
/// as what would be reported after that misleads.
Written read_files(const std::string& path, Report& report);

/// Lays "path=value" over the root.
void apply_set(const std::string& argument, Written& written, Report& report);

/// Replaces ${NAME} in all strings by what [env] declares.
void substitute(Node& root, const Environment& environment, Report& report);

/// Files, then --set, then variables.
Written read_manifest(const std::string& path, const std::vector<std::string>& sets,
                      const Environment& environment, Report& report);

}  // namespace attune::manifest
