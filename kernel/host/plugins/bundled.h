// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernel/host/plugins/metadata.h"
#include "kernel/host/plugins/sealed_file.h"
#include "kernel/host/trust/gate.h"

/// Libraries that a plugin brings beside it ($ORIGIN in its run path). A sealed copy has no folder,
/// so the host finds them itself, seals them like the plugin and opens them first; the plugin then
/// meets them by their SONAME.
namespace attune {

/// A run path of a file in `folder`, with that for $ORIGIN.
std::string resolved(const std::string& run_path, const std::string& folder);

/// Rules of trust for the libraries beside a plugin.
std::vector<Refusal> check_bundled(const PluginInfo& plugin, const SealedFile& file,
                                   const Gate& gate);

/// Opens those that `check_bundled` let in, for the rest of the process. What cannot be opened is
/// left for the loader to name.
void open_bundled(const SealedFile& file);

/// The paths of the libraries beside a plugin's file that it needs.
std::vector<std::string> bundled_files(const std::string& file);

/// LibTorch's libraries in this process, by path.
std::vector<std::string> torch_libraries();

}  // namespace attune
