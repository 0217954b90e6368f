// SPDX-License-Identifier: Apache-2.0
// A checkpoint, or what begins as JSON: the index of one, which may name "shard.safetensors" with its tensor "a".
#include "fuzz/plugin.h"
#include "fuzz/target.h"

ATTUNE_FUZZ_TARGET(safetensors) {
  using namespace std::string_view_literals;
  static const std::string shard = attune::fuzz::file_of(
      "\x38\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}   \x07"sv, "shard.safetensors");
  attune::fuzz::read_tensors("safetensors", bytes.starts_with('{') ? ".safetensors.index.json" : ".safetensors", bytes);
}
