// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace attune {

/// How one tensor type of GGUF stores its elements: blocks of `elements`, each `bytes` long.
struct QuantType {
  uint32_t number;  // in the file
  std::string_view name;
  uint32_t elements;
  uint32_t bytes;
  int32_t dtype;  // ATTUNE_*, as given to the reader
  /// Block to `elements` floats; nullptr where the bytes are given as they are.
  void (*decode)(const uint8_t* block, float* out);
};

/// nullptr for a number that is not known here.
const QuantType* find_quant_type(uint32_t number);

/// "F32 (0), F16 (1), ...": for messages.
std::string known_quant_types();

}  // namespace attune
