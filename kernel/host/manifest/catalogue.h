// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/host/json.h"
#include "kernel/host/manifest/option_schema.h"

namespace attune {

/// One factory of one plugin, as its metadata describes it.
struct ProviderInfo {
  std::string plugin_id;
  std::string name;
  std::string version;
  std::string file;
  std::vector<OptionSchema> options;
  Json metadata = Json::object();  ///< the whole [[provides]] table
};

/// What plugins there are. A manifest is checked against it, so that checking opens no plugin.
class Catalogue {
 public:
  virtual ~Catalogue() = default;
  /// The factories of a kind ("dataset/1"), in a fixed order.
  virtual std::vector<ProviderInfo> providers(std::string_view kind) const = 0;
};

}  // namespace attune
