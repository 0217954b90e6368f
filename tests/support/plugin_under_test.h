// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dlfcn.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "attune/abi.h"
#include "kernel/host/json.h"

namespace attune::testing {

using attune::Json;
using attune::to_json;
using attune::to_value;

/// A host of nothing but an error slot.
struct TestHost {
  std::string why;
  attune_host table{ATTUNE_END(attune_host, fail), ATTUNE_ABI_MAJOR, ATTUNE_ABI_MINOR, this,
                    [](const attune_host*, const char*) -> const void* { return nullptr; },
                    [](const attune_host* host, int32_t code, attune_str why) {
                      static_cast<TestHost*>(host->context)->why = string(why);
                      return code;
                    }};
};

/// What a failing plugin call becomes in a test.
struct PluginFailure : std::runtime_error {
  PluginFailure(int32_t code, const std::string& why) : std::runtime_error(why), code(code) {}
  int32_t code;
};

/// One instance made by a built plugin: `PluginUnderTest<attune_dataset> plugin("columns", "dataset/1", "columns", {{...}})`.
/// Options are given whole: defaults of plugin.toml are not applied.
template <typename Table>
class PluginUnderTest {
 public:
  PluginUnderTest(const std::string& library, const std::string& kind, const std::string& name, const Json& options = Json::object()) {
    const std::string path = std::string(ATTUNE_PLUGIN_DIR) + "/" + library + ".attune.so";
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // Never closed, as in the host.
    if (!handle) throw std::runtime_error(dlerror());
    const auto entry_point = reinterpret_cast<const attune_entry* (*)()>(dlsym(handle, "attune_plugin_v1"));
    for (auto factory = entry_point()->factories; *factory; ++factory) {
      if ((*factory)->kind != kind || (*factory)->name != name) continue;
      const attune_value map = to_value(options, arena_);
      void* made = nullptr;
      check((*factory)->create(&host_.table, &map, &made));
      table_ = static_cast<Table*>(made);
      return;
    }
    throw std::runtime_error(path + " has no " + kind + " \"" + name + "\"");
  }
  ~PluginUnderTest() {
    if constexpr (std::is_same_v<Table, attune_object>) {
      if (table_) table_->destroy(table_);
    } else {
      if (table_) table_->destroy(table_->self);
    }
  }
  PluginUnderTest(const PluginUnderTest&) = delete;
  PluginUnderTest& operator=(const PluginUnderTest&) = delete;

  Table* operator->() const { return table_; }
  Table& table() const { return *table_; }
  void* self() const { return table_->self; }
  /// Throws PluginFailure with the plugin's message unless `code` is ATTUNE_OK.
  void check(int32_t code) const {
    if (code != ATTUNE_OK) throw PluginFailure(code, host_.why);
  }

 private:
  TestHost host_;
  Arena arena_;
  Table* table_ = nullptr;
};

}  // namespace attune::testing
