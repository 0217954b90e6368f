// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

/// A fuzz target is a file of this folder that ends in ATTUNE_FUZZ_TARGET(name) { ... bytes ... }. Built with the preset `fuzz`
/// it is a libFuzzer program of its own; else all are in one test, which replays regressions/<name>/ and seeds.
namespace attune::fuzz {

using Target = std::function<void(std::string_view)>;

inline std::map<std::string, Target>& targets() {
  static std::map<std::string, Target> all;
  return all;
}

struct Registered {
  Registered(const char* name, Target target) { targets()[name] = std::move(target); }
};

/// A file of this name with these bytes, in a folder of the process's own.
std::string file_of(std::string_view bytes, const std::string& name);

}  // namespace attune::fuzz

#ifdef ATTUNE_FUZZING
#define ATTUNE_FUZZ_TARGET(name)                                           \
  static void name(std::string_view bytes);                                \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) { \
    name({reinterpret_cast<const char*>(data), size});                     \
    return 0;                                                              \
  }                                                                        \
  static void name(std::string_view bytes)
#else
#define ATTUNE_FUZZ_TARGET(name)                                         \
  static void name(std::string_view bytes);                              \
  static const attune::fuzz::Registered registered_##name(#name, &name); \
  static void name(std::string_view bytes)
#endif
