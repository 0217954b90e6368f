// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kernel/host/engine_api.h"

namespace attune {

struct Imported {
  int64_t tensors = 0;
  int64_t parameters = 0;
  int64_t bytes = 0;  ///< of the tensors written
  int64_t files = 0;  ///< with tensors
};

/// Writes a folder in the Hugging Face layout from any checkpoint: config.json, the tokenizer's
/// files and the tensors, floating point ones as `dtype` ("float32" or "bfloat16"). Tensors go to
/// files of at most `shard_bytes`, which is also what is held in memory. `to` must not exist; it
/// appears whole or not at all.
Imported import_model(const std::string& from, const std::string& to, const std::string& dtype,
                      HostServices& host, int64_t shard_bytes = int64_t{4} << 30);

/// `count` numbers of a floating point dtype as float32 or bfloat16 (to nearest, ties to even).
/// Other dtypes pass unchanged.
std::string convert_floats(const attune_tensor& tensor, int32_t target);

}  // namespace attune
