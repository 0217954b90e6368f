// SPDX-License-Identifier: Apache-2.0
// A manifest and, after a NUL, what it includes as "more.toml".
#include "fuzz/target.h"
#include "kernel/host/manifest/manifest.h"

namespace {

struct NoPlugins final : attune::Catalogue {
  std::vector<attune::ProviderInfo> providers(std::string_view) const override { return {}; }
};

}  // namespace

ATTUNE_FUZZ_TARGET(manifest) {
  using namespace attune;
  const size_t end = std::min(bytes.find('\0'), bytes.size());
  const std::string path = fuzz::file_of(bytes.substr(0, end), "run.toml");
  fuzz::file_of(end < bytes.size() ? bytes.substr(end + 1) : "", "more.toml");
  static const NoPlugins none;
  const ManifestOptions options{.sets = {}, .catalogue = none, .environment = [](const std::string& name) {
                              return name == "SET" ? std::optional<std::string>("value") : std::nullopt;
                            }};
  try {
    const Manifest manifest = load_manifest(path, options);
    for (const auto& [key, source] : manifest.sources) manifest.value(key);
    manifest.redacted();
  } catch (const ManifestError& error) {
    for (const Diagnostic& diagnostic : error.diagnostics()) format(diagnostic);
  }
  try {
    manifest_plugin_paths(path, {}, options.environment);
  } catch (const ManifestError&) {
  }
}
