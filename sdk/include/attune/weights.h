// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "attune/plugin.h"

namespace attune {

/// Where a weights format puts tensors.
class TensorSink {
 public:
  explicit TensorSink(const attune_tensor_sink* sink) : sink_(sink) {}
  void operator()(const attune_tensor& tensor) const { deliver(sink_->emit(sink_->context, &tensor)); }

 private:
  const attune_tensor_sink* sink_;
};

/// Bytes of one element; 0 for an unknown dtype.
inline size_t dtype_size(int32_t dtype) {
  static constexpr size_t sizes[] = {0, 4, 2, 2, 8, 8, 4, 2, 1, 1, 1};
  return dtype >= ATTUNE_F32 && dtype <= ATTUNE_BOOL8 ? sizes[dtype] : 0;
}

/// A weights format is any class with `Impl(Value options)` (options: path), and
///   void list(const TensorSink&);                      descriptions, no data
///   void read(std::string_view name, const TensorSink&);
///   std::optional<std::string> document(std::string_view name);
///   void write(const std::string& path, const attune_tensor* tensors, size_t n, Value metadata);   (may throw E_UNSUPPORTED)
template <typename Impl>
int32_t create_weights(const attune_host* host, const attune_value* options, void** out) {
  return create_instance<attune_weights, Impl>(host, options, out, [](attune_weights& table) {
    using Self = Instance<attune_weights, Impl>;
    table.size = ATTUNE_END(attune_weights, write);
    table.list = [](void* self, const attune_tensor_sink* sink) -> int32_t {
      return guard(Self::of(self).host, [&] { Self::of(self).impl.list(TensorSink(sink)); });
    };
    table.read = [](void* self, attune_str name, const attune_tensor_sink* sink) -> int32_t {
      return guard(Self::of(self).host, [&] { Self::of(self).impl.read(view(name), TensorSink(sink)); });
    };
    table.document = [](void* self, attune_str name, const attune_text_sink* sink) -> int32_t {
      return guard(Self::of(self).host, [&] {
        const std::optional<std::string> text = Self::of(self).impl.document(view(name));
        if (!text) throw Error("no document \"" + string(name) + "\"", ATTUNE_E_NOT_FOUND);
        deliver(sink->emit(sink->context, str(*text)));
      });
    };
    table.write = [](void* self, attune_str path, const attune_tensor* tensors, size_t n, const attune_value* metadata) -> int32_t {
      return guard(Self::of(self).host, [&] { Self::of(self).impl.write(string(path), tensors, n, Value(metadata)); });
    };
  });
}

}  // namespace attune

#define ATTUNE_WEIGHTS(variable, name, Class)                                                       \
  static const attune_factory variable = {ATTUNE_END(attune_factory, create), 0, "weights/1", name, \
                                          &attune::create_weights<Class>}
