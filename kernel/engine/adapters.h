// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernel/engine/loaded_model.h"

/// Low-rank adapters on a model's linear layers, in PEFT's layout on disk: adapter_config.json and
/// adapter_model.safetensors.
namespace attune {

/// What the table [adapter] says.
struct AdapterOptions {
  int64_t rank = 16;
  double alpha = 32;
  bool stabilised =
      false;  ///< scale alpha / sqrt(rank) (Kalajdzievski, 2023) instead of alpha / rank
  bool magnitudes = false;  ///< DoRA
  double b_rate = 1;        ///< LoRA+ (Hayou et al., 2024): learning rate of B over that of A
  std::vector<std::string>
      targets;  ///< globs of layers without ".weight"; empty: all but heads, routers and experts
  uint64_t seed = 0;

  /// Whether a parameter is the weight of a layer that they mean.
  bool takes(const Parameter& parameter) const;

  static AdapterOptions from(const Json& adapter, uint64_t seed);
};

/// Gives the model's layers adapters that change nothing yet: A uniform in +-1/sqrt(I), B zero,
/// magnitudes those of W. Their parameters (NAME.lora_A.weight, NAME.lora_B.weight,
/// NAME.lora_magnitude_vector) are returned, in the layers' order. Throws Error where a pattern
/// names no layer.
std::vector<Parameter> attach_adapters(LoadedModel& loaded, const AdapterOptions& options);

/// Attaches what a PEFT folder holds and copies it in. Whole parameters that it also holds (a score
/// head) replace the model's. Throws Error naming a feature that is not implemented, and tensors
/// without a place.
std::vector<Parameter> read_adapters(LoadedModel& loaded, const std::string& folder,
                                     const AdapterOptions& options, HostServices& host);

/// Writes `folder` whole. `whole`: parameters that were trained besides.
void write_adapters(const std::string& folder, const std::string& base,
                    const std::vector<Parameter>& adapters, const std::vector<Parameter>& whole,
                    const LoadedModel& loaded, const AdapterOptions& options, HostServices& host);

/// Puts the adapters into the weights, unpacked where they are in 4 bits, and takes them off.
void merge_adapters(LoadedModel& loaded);

/// Turns all adapters off for as long as it lives: the model is then what it was before.
class WithoutAdapters {
 public:
  explicit WithoutAdapters(LoadedModel& loaded) : loaded_(loaded) { set(false); }
  ~WithoutAdapters() { set(true); }
  WithoutAdapters(const WithoutAdapters&) = delete;
  WithoutAdapters& operator=(const WithoutAdapters&) = delete;

 private:
  void set(bool on) {
    for (const Parameter& parameter : loaded_.parameters) {
      if (parameter.adapter) parameter.adapter->on = on;
    }
  }
  LoadedModel& loaded_;
};

/// Outputs of the value head that an adapter's folder holds; 0: it holds none.
int64_t value_outputs(const std::string& folder, HostServices& host);

/// adapter_config.json of a folder; null where it has none.
Json adapter_config(const std::string& folder);

}  // namespace attune
