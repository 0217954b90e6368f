// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attune/plugin.h"
#include "attune/sample.h"

namespace attune {

/// Where a dataset puts its samples.
class SampleSink {
 public:
  explicit SampleSink(const attune_sample_sink* sink) : sink_(sink) {}
  void operator()(const SampleBuilder& sample) const {
    const attune_sample c = sample.c();
    deliver(sink_->emit(sink_->context, &c));
  }

 private:
  const attune_sample_sink* sink_;
};

/// A dataset is any class with `Impl(Value options)` and
/// `void map(Value record, const SampleSink& emit) const`, which throws Error naming the field that does not fit.
template <typename Impl>
int32_t create_dataset(const attune_host* host, const attune_value* options, void** out) {
  return create_instance<attune_dataset, Impl>(host, options, out, [](attune_dataset& table) {
    using Self = Instance<attune_dataset, Impl>;
    table.size = ATTUNE_END(attune_dataset, map);
    table.map = [](void* self, const attune_value* record, const attune_sample_sink* sink) -> int32_t {
      return guard(Self::of(self).host, [&] { Self::of(self).impl.map(Value(record), SampleSink(sink)); });
    };
  });
}

}  // namespace attune

/// ATTUNE_DATASET(factory_variable, "name", Class)
#define ATTUNE_DATASET(variable, name, Class)                                                       \
  static const attune_factory variable = {ATTUNE_END(attune_factory, create), 0, "dataset/1", name, \
                                          &attune::create_dataset<Class>}
