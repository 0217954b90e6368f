// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "attune/sample.h"
#include "kernel/host/validate/readable.h"
#include "support/plugin_under_test.h"

/// For tests of datasets: what a row becomes, as JSON that is easy to write down and to compare.
namespace attune::testing {

using attune::readable;

/// Calls `visit` with every sample that dataset `name` makes of `row`. Throws PluginFailure where
/// it refuses.
template <typename Visit>
void each_sample(const std::string& name, const Json& options, const Json& row, Visit visit) {
  PluginUnderTest<attune_dataset> plugin(name, "dataset/1", name, options);
  Arena arena;
  const attune_value record = to_value(row, arena);
  const attune_sample_sink sink{ATTUNE_END(attune_sample_sink, emit), 0, &visit,
                                [](void* context, const attune_sample* sample) -> int32_t {
                                  (*static_cast<Visit*>(context))(*sample);
                                  return ATTUNE_OK;
                                }};
  plugin.check(plugin->map(plugin.self(), &record, &sink));
}

/// The one sample that dataset `name` makes of `row`. Throws PluginFailure where it refuses.
inline Json map_row(const std::string& name, const Json& options, const Json& row) {
  Json made = Json::array();
  each_sample(name, options, row, [&](const auto& sample) { made.push_back(readable(sample)); });
  if (made.size() != 1) throw std::runtime_error("not one sample: " + made.dump());
  return made[0];
}

/// Why dataset `name` refuses its options or `row`.
inline std::string refusal(const std::string& name, const Json& options, const Json& row) {
  try {
    return "not refused: " + map_row(name, options, row).dump();
  } catch (const PluginFailure& failure) {
    return failure.code == ATTUNE_E_INVALID ? failure.what() : "not ATTUNE_E_INVALID";
  }
}

}  // namespace attune::testing
