// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "attune/plugin.h"

namespace attune {

/// What one request is answered with; the fields of attune_answer.
struct Reply {
  int32_t stop = ATTUNE_STOP_END;
  std::string text;
  std::vector<int64_t> ids;
  std::vector<double> logprobs;  ///< one for each id
  std::vector<double> values;    ///< places x outputs, row by row
  size_t outputs = 0;
};

/// A generator is any class with `Impl(Value options)` and `Reply answer(const attune_request&)`, which throws Error with
/// ATTUNE_E_UNSUPPORTED for a kind of request that it does not serve.
template <typename Impl>
int32_t create_generator(const attune_host* host, const attune_value* options, void** out) {
  return create_instance<attune_generator, Impl>(host, options, out, [](attune_generator& table) {
    using Self = Instance<attune_generator, Impl>;
    table.size = ATTUNE_END(attune_generator, generate);
    table.generate = [](void* self, const attune_request* const* requests, size_t n, const attune_answer_sink* sink) -> int32_t {
      return guard(Self::of(self).host, [&] {
        for (size_t i = 0; i < n; ++i) {
          const Reply reply = Self::of(self).impl.answer(*requests[i]);
          const size_t places = reply.outputs > 0 ? reply.values.size() / reply.outputs : 0;
          const attune_answer c{ATTUNE_END(attune_answer, n_outputs),
                                reply.stop,
                                requests[i]->id,
                                str(reply.text),
                                reply.ids.data(),
                                reply.logprobs.data(),
                                reply.ids.size(),
                                reply.values.data(),
                                places,
                                reply.outputs};
          deliver(sink->emit(sink->context, &c));
        }
      });
    };
  });
}

}  // namespace attune

#define ATTUNE_GENERATOR(variable, name, Class) \
  static const attune_factory variable = {ATTUNE_END(attune_factory, create), 0, "generator/1", name, &attune::create_generator<Class>}
