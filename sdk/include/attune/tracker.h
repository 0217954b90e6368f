// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attune/plugin.h"

namespace attune {

/// A tracker is any class with `Impl(Value options)` (options: folder) and
/// `void log(int64_t step, double wall_time, Value metrics)`.
template <typename Impl>
int32_t create_tracker(const attune_host* host, const attune_value* options, void** out) {
  return create_instance<attune_tracker, Impl>(host, options, out, [](attune_tracker& table) {
    using Self = Instance<attune_tracker, Impl>;
    table.size = ATTUNE_END(attune_tracker, log);
    table.log = [](void* self, int64_t step, double wall_time, const attune_value* metrics) -> int32_t {
      return guard(Self::of(self).host, [&] { Self::of(self).impl.log(step, wall_time, Value(metrics)); });
    };
  });
}

}  // namespace attune

#define ATTUNE_TRACKER(variable, name, Class)                                                       \
  static const attune_factory variable = {ATTUNE_END(attune_factory, create), 0, "tracker/1", name, \
                                          &attune::create_tracker<Class>}
