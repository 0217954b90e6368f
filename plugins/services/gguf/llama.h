// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gguf_file.h"

namespace attune {

/// A tensor under its Hugging Face name.
struct LlamaTensor {
  std::string name;
  const GgufTensor* source;
  /// Attention heads whose rows lie in llama.cpp's order, (pair, half) in place of (half, pair); 0:
  /// rows as they are.
  int64_t heads;

  /// Which row of the file is row `row` of the Hugging Face tensor.
  int64_t source_row(int64_t row, int64_t rows) const {
    if (heads == 0) return row;
    const int64_t head_dim = rows / heads, pairs = head_dim / 2;
    const int64_t head = row / head_dim, within = row % head_dim;
    return head * head_dim + within % pairs * 2 + within / pairs;
  }
};

/// A GGUF file of architecture "llama" as Transformers' LlamaForCausalLM sees it.
class LlamaCheckpoint {
 public:
  /// Refuses other architectures, and tensors that a Llama does not have.
  explicit LlamaCheckpoint(const GgufFile& file);

  const std::vector<LlamaTensor>& tensors() const { return tensors_; }
  /// nullptr where there is no such tensor.
  const LlamaTensor* find(std::string_view name) const;
  /// The text of config.json.
  std::string config() const;

 private:
  int64_t required(const std::string& key) const;
  int64_t key_value_heads() const;
  int64_t head_size() const;
  std::string rope_scaling(double theta) const;

  const GgufFile& file_;
  std::vector<LlamaTensor> tensors_;
  std::map<std::string_view, const LlamaTensor*> by_name_;
};

}  // namespace attune
