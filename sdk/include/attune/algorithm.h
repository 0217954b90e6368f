// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attune/plugin.h"
#include "attune/scores.h"

namespace attune {

/// An alignment method: a loss on scores. What it needs (sample shape, reference) its plugin.toml declares, so that a
/// manifest is checked before anything is loaded.
class Algorithm {
 public:
  virtual ~Algorithm() = default;
  /// Called for every micro-batch. Differentiable in `scores.logprob_U`; no side effects. [control]
  virtual Loss loss(const Scores& scores) const = 0;
};

/// Wraps a C++ object as the `attune_object` of a torch-tier kind.
template <typename Interface, typename Impl>
int32_t create_object(const attune_host* host, const attune_value* options, void** out) {
  return guard(host, [&] {
    auto made = std::make_unique<Impl>(Value(options));
    auto object = std::make_unique<attune_object>();
    object->size = ATTUNE_END(attune_object, destroy);
    object->object = static_cast<Interface*>(made.release());
    object->destroy = [](attune_object* self) {
      delete static_cast<Interface*>(self->object);
      delete self;
    };
    *out = object.release();
  });
}

}  // namespace attune

#define ATTUNE_ALGORITHM(variable, name, Class)                                                       \
  static const attune_factory variable = {ATTUNE_END(attune_factory, create), 0, "algorithm/1", name, \
                                          &attune::create_object<attune::Algorithm, Class>}
