// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/host/json.h"
#include "kernel/host/manifest/option_schema.h"

namespace attune {

/// One [[provides]] of a plugin.
struct Provided {
  std::string kind;  ///< "dataset/1"
  std::string name;
  std::string summary;
  std::vector<OptionSchema> options;
  Json metadata;  ///< every other key: "sample", "reference", "suffixes", "architectures",
                  ///< "concurrent", ...
};

enum class Tier { kPure, kTorch };
std::string_view name_of(Tier tier);

/// What a plugin says of itself, by plugin.toml and by its build.
struct PluginInfo {
  std::string id, version, license, summary;
  Tier tier = Tier::kPure;
  std::string file;
  uint64_t size = 0;
  int abi_major = 0, abi_minor = 0;
  std::string fingerprint;  ///< "" in the pure tier
  std::string compiler;
  std::vector<Provided> provides;
  std::string note;  ///< all of the above but `file` and `size`, as the file carries it
};

/// Throws FormatError naming the key.
PluginInfo parse_metadata(std::string_view plugin_toml);

/// From a note that was read before. Throws FormatError.
PluginInfo parse_plugin(const std::string& file, std::string note, uint64_t size);

/// Reads the note of `file` and nothing else. Throws Refused (P-02, P-21).
PluginInfo read_plugin(const std::string& file);

}  // namespace attune
