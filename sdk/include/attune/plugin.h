// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <memory>
#include <new>
#include <string>

#include "attune/abi.h"
#include "attune/error.h"
#include "attune/text.h"
#include "attune/value.h"

/// Set by attune_add_plugin from plugin.toml.
#ifndef ATTUNE_PLUGIN_ID
#define ATTUNE_PLUGIN_ID ""
#endif
#ifndef ATTUNE_PLUGIN_FINGERPRINT
#define ATTUNE_PLUGIN_FINGERPRINT ""
#endif

namespace attune {

/// Runs `body` and turns any exception into a code and a message for the host.
template <typename Body>
int32_t guard(const attune_host* host, Body&& body) noexcept {
  // A message may quote what was read: bytes that are no UTF-8 become U+FFFD.
  const auto fail = [&](int code, const char* why) {
    try {
      return host->fail(host, code, str(utf8(why)));
    } catch (const std::bad_alloc&) {
      return host->fail(host, code, str("out of memory"));
    }
  };
  try {
    body();
    return ATTUNE_OK;
  } catch (const Error& error) {
    return fail(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(ATTUNE_E_NOMEM, "out of memory");
  } catch (const std::exception& error) {
    return fail(ATTUNE_E_INTERNAL, error.what());
  } catch (...) {
    return fail(ATTUNE_E_INTERNAL, "an exception that is no std::exception");
  }
}

/// Thrown by Sink when the host wants no more; leaves `guard` as the code that the host gave.
class SinkClosed : public Error {
 public:
  explicit SinkClosed(int code) : Error("the host wants no more", code) {}
};

inline void deliver(int32_t code) {
  if (code != ATTUNE_OK) throw SinkClosed(code);
}

/// A plugin's half of a table: what the table's `self` points to. `Table` is the C table, `Impl` the author's class.
template <typename Table, typename Impl>
struct Instance {
  const attune_host* host;
  Impl impl;
  Table table;
  static Instance& of(void* self) { return *static_cast<Instance*>(self); }
  static void destroy(void* self) { delete static_cast<Instance*>(self); }
};

/// `fill(table)` sets the functions of `Table`; `Impl` is constructed from the options.
template <typename Table, typename Impl, typename Fill>
int32_t create_instance(const attune_host* host, const attune_value* options, void** out, Fill fill) {
  return guard(host, [&] {
    using Self = Instance<Table, Impl>;
    std::unique_ptr<Self> made(new Self{host, Impl(Value(options)), {}});
    made->table.self = made.get();
    made->table.destroy = &Self::destroy;
    fill(made->table);
    *out = &made.release()->table;
  });
}

}  // namespace attune

/// Ends a plugin's source file: ATTUNE_PLUGIN(&my_factory, &my_other_factory)
#define ATTUNE_PLUGIN(...)                                                                          \
  extern "C" ATTUNE_EXPORT const attune_entry* attune_plugin_v1(void) {                             \
    static const attune_factory* const factories[] = {__VA_ARGS__, nullptr};                        \
    static const attune_entry entry = {ATTUNE_END(attune_entry, factories), ATTUNE_ABI_MAJOR,       \
                                       ATTUNE_ABI_MINOR, ATTUNE_PLUGIN_ID,                          \
                                       ATTUNE_PLUGIN_FINGERPRINT, nullptr, nullptr, factories};     \
    return &entry;                                                                                  \
  }
