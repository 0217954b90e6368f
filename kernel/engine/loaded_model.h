// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "attune/model.h"
#include "kernel/engine/batch.h"
#include "kernel/host/engine_api.h"

namespace attune {

struct LoadOptions {
  std::string path;  ///< checkpoint: folder or file
  std::string use;   ///< model plugin; empty: by architecture
  Json options = Json::object();
  std::string tokenizer;            ///< folder; empty: path
  std::string dtype = "float32";
  std::string device = "cpu";
  bool random = false;              ///< initialise instead of reading weights
  uint64_t seed = 0;
  bool quantize = false, double_quant = true;  ///< linear weights of the blocks in NF4
  std::vector<std::string> fresh;   ///< globs of parameters that the checkpoint need not have
  /// Outputs of a value head, drawn anew where the checkpoint has none; no language model head then. Below 0: what the
  /// checkpoint has.
  int64_t values = 0;
  bool values_of_tokens = false;    ///< the head judges tokens, not answers; it then has a bias
};

/// The options that a resolved run's [model] table stands for.
LoadOptions load_options(const Json& run);

/// A model plugin's object with its weights in place.
struct LoadedModel {
  LoadOptions options;
  std::string adapter;  ///< folder of an adapter that goes into the weights; empty: none
  Plugin<attune_object> object;
  Model* model = nullptr;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Checkpoint> checkpoint;
  std::string tokenizer_folder;  ///< where the tokenizer lies, if not beside the weights
  std::vector<Parameter> parameters;
  ValueHead value;  ///< also among the parameters
  std::vector<std::string> replaced;  ///< parameters that gave way to it
  /// Transformers' score heads read the last token that is no padding: where answers end with the padding token, another
  /// takes its place in what is exported. Its name in tokenizer_config.json without "_token"; empty: none is needed.
  std::string padding;
  Json config;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;

  /// Ids that end an answer, from generation_config.json, else config.json, else the tokenizer.
  std::vector<int64_t> end_ids() const;
};

at::ScalarType scalar_type(const std::string& dtype);
at::ScalarType scalar_type(int32_t attune_dtype);
int32_t attune_dtype(at::ScalarType type);
bool matches(const std::string& glob, const std::string& name);

/// A model without its weights: parameters have their shapes and dtype, and hold nothing.
LoadedModel open_model(const LoadOptions& options, HostServices& host);

/// Reads weights strictly by name: every parameter comes from the checkpoint or is declared fresh, every tensor of the
/// checkpoint is used or known to be redundant. Throws Error listing what is missing, left over or misshapen.
void fill_model(LoadedModel& model, HostServices& host);

/// Both.
LoadedModel load_model(const LoadOptions& options, HostServices& host);

}  // namespace attune
