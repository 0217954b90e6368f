// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "attune/plugin.h"
#include "attune/sample.h"

namespace attune {

/// A request with every field at its usual value; the caller sets what differs. Pointers are borrowed.
inline attune_request make_request(int32_t kind, const attune_turn* turns, size_t n_turns) {
  attune_request made{};
  made.size = ATTUNE_END(attune_request, reserved);
  made.kind = kind;
  made.turns = turns;
  made.n_turns = n_turns;
  made.max_tokens = 128;
  made.top_p = 1.0;
  return made;
}

/// Where an evaluator puts its requests.
class RequestSink {
 public:
  explicit RequestSink(const attune_request_sink* sink) : sink_(sink) {}
  void operator()(const attune_request& request) const { deliver(sink_->emit(sink_->context, &request)); }

 private:
  const attune_request_sink* sink_;
};

/// The answers to one sample's requests, in their order.
using Answers = std::vector<const attune_answer*>;
/// Metric -> value for one sample.
using Metrics = std::vector<std::pair<std::string_view, double>>;

/// An evaluator is any class with `Impl(Value options)`,
/// `void request(const attune_sample&, const RequestSink&) const` and
/// `Metrics score(const attune_sample&, const Answers&) const`.
template <typename Impl>
int32_t create_evaluator(const attune_host* host, const attune_value* options, void** out) {
  return create_instance<attune_evaluator, Impl>(host, options, out, [](attune_evaluator& table) {
    using Self = Instance<attune_evaluator, Impl>;
    table.size = ATTUNE_END(attune_evaluator, score);
    table.request = [](void* self, const attune_sample* sample, const attune_request_sink* sink) -> int32_t {
      return guard(Self::of(self).host, [&] { Self::of(self).impl.request(*sample, RequestSink(sink)); });
    };
    table.score = [](void* self, const attune_sample* sample, const attune_answer* const* answers, size_t n,
                     const attune_value_sink* sink) -> int32_t {
      return guard(Self::of(self).host, [&] {
        Arena arena;
        std::vector<std::pair<std::string_view, attune_value>> members;
        for (const auto& [name, value] : Self::of(self).impl.score(*sample, Answers(answers, answers + n))) {
          members.emplace_back(name, Arena::number(value));
        }
        const attune_value map = arena.map(members);
        deliver(sink->emit(sink->context, &map));
      });
    };
  });
}

}  // namespace attune

#define ATTUNE_EVALUATOR(variable, name, Class)                                                       \
  static const attune_factory variable = {ATTUNE_END(attune_factory, create), 0, "evaluator/1", name, \
                                          &attune::create_evaluator<Class>}
