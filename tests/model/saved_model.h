// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "attune/model.h"
#include "support/plugin_under_test.h"

namespace attune::testing {

/// The tensors of a safetensors file of fp32.
std::map<std::string, at::Tensor> read_safetensors(const std::string& path);

/// A Llama made by the plugin from a folder that Transformers saved.
class SavedLlama {
 public:
  explicit SavedLlama(const std::string& folder, const std::string& config = "config.json");
  Model& operator*() { return *static_cast<Model*>(plugin_->object); }
  Model* operator->() { return static_cast<Model*>(plugin_->object); }
  void require_gradients();
  void clear_gradients();
  /// Every parameter's gradient, by name.
  std::map<std::string, at::Tensor> gradients();

 private:
  PluginUnderTest<attune_object> plugin_;
};

/// Where make.py put its models, and their names.
std::string reference_folder();
std::vector<std::string> reference_names();
Json read_json(const std::string& path);

/// Rows at positions 0, 1, ... of one segment each.
Batch pack(const std::vector<std::vector<int64_t>>& rows);
/// The first row of ids is the prompt, the others follow it.
Batch share(const std::vector<std::vector<int64_t>>& rows);

/// Log-probability of ids[1..] from the hidden states of ids[0..].
at::Tensor next_logprobs(Model& model, const at::Tensor& hidden_ND,
                         const std::vector<int64_t>& ids);

/// |a - b| <= tolerance * max(1, largest |b|).
::testing::AssertionResult close(const at::Tensor& a, const at::Tensor& b, double tolerance);

}  // namespace attune::testing
