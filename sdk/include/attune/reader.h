// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attune/plugin.h"

namespace attune {

/// Where a reader puts its records, each a map.
class ValueSink {
 public:
  explicit ValueSink(const attune_value_sink* sink) : sink_(sink) {}
  void operator()(const attune_value& value) const { deliver(sink_->emit(sink_->context, &value)); }

 private:
  const attune_value_sink* sink_;
};

/// A reader is any class with `Impl(Value options)` (options: path), `int64_t count()` and
/// `void read(int64_t first, int64_t n, const ValueSink& emit)`.
template <typename Impl>
int32_t create_reader(const attune_host* host, const attune_value* options, void** out) {
  return create_instance<attune_reader, Impl>(host, options, out, [](attune_reader& table) {
    using Self = Instance<attune_reader, Impl>;
    table.size = ATTUNE_END(attune_reader, read);
    table.count = [](void* self, int64_t* records) -> int32_t {
      return guard(Self::of(self).host, [&] { *records = Self::of(self).impl.count(); });
    };
    table.read = [](void* self, int64_t first, int64_t n, const attune_value_sink* sink) -> int32_t {
      return guard(Self::of(self).host, [&] { Self::of(self).impl.read(first, n, ValueSink(sink)); });
    };
  });
}

}  // namespace attune

#define ATTUNE_READER(variable, name, Class)                                                       \
  static const attune_factory variable = {ATTUNE_END(attune_factory, create), 0, "reader/1", name, \
                                          &attune::create_reader<Class>}
