// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/adapters.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "kernel/engine/checkpoint_store.h"
#include "kernel/engine/packed_weights.h"
#include "kernel/engine/random.h"
#include "kernel/host/services/files.h"
#include "nn/blocks.h"

namespace attune {
namespace fs = std::filesystem;
namespace {

constexpr const char* kPrefix = "base_model.model.";

std::string layer_of(const Parameter& weight) {
  return weight.name.substr(0, weight.name.size() - std::string_view(".weight").size());
}

bool names(const std::string& glob, const std::string& layer) {
  return matches(glob, layer) || layer.ends_with("." + glob);
}

std::vector<Parameter> targets_of(const LoadedModel& loaded, const AdapterOptions& options) {
  std::vector<Parameter> found;
  std::set<std::string> used;
  for (const Parameter& parameter : loaded.parameters) {
    if (!options.takes(parameter)) continue;
    found.push_back(parameter);
    for (const std::string& glob : options.targets) {
      if (names(glob, layer_of(parameter))) used.insert(glob);
    }
  }
  for (const std::string& glob : options.targets) {
    if (!used.contains(glob))
      throw Error("adapter.targets: no linear layer is named `" + glob + "`");
  }
  return found;
}

/// How PEFT is told which layers: by the last parts of their names where those mean just these,
/// else by full names.
Json target_modules(const LoadedModel& loaded, const std::vector<Parameter>& adapters) {
  std::map<std::string, int> all, ours;
  std::set<std::string> layers;
  const auto last = [](const std::string& layer) { return layer.substr(layer.rfind('.') + 1); };
  for (const Parameter& parameter : loaded.parameters) {
    if (parameter.adapter) ++all[last(layer_of(parameter))];
  }
  for (const Parameter& parameter : adapters) {
    if (const size_t at = parameter.name.find(".lora_A."); at != parameter.name.npos)
      layers.insert(parameter.name.substr(0, at));
  }
  for (const std::string& layer : layers) ++ours[last(layer)];
  Json ends = Json::array();
  for (const auto& [end, count] : ours) {
    if (count != all[end]) return layers;
    ends.push_back(end);
  }
  return ends;
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void refuse_unknown(const Json& config, const std::string& folder) {
  const auto refuse = [&](const std::string& what) {
    throw Error(folder + "/adapter_config.json: " + what + ", which is not implemented",
                ATTUNE_E_UNSUPPORTED);
  };
  if (config.value("peft_type", "LORA") != "LORA")
    refuse("peft_type " + config["peft_type"].dump());
  for (const char* empty : {"rank_pattern", "alpha_pattern", "layers_to_transform",
                            "layer_replication", "target_parameters", "trainable_token_indices"}) {
    const Json value = config.value(empty, Json());
    if (!value.is_null() && !value.empty()) refuse(std::string(empty) + " = " + value.dump());
  }
  if (config.value("bias", "none") != "none") refuse("bias = " + config["bias"].dump());
  if (config.value("lora_bias", false)) refuse("lora_bias");
}

}  // namespace

bool AdapterOptions::takes(const Parameter& parameter) const {
  if (!parameter.adapter) return false;
  if (targets.empty()) return parameter.adapter->usual;
  return std::any_of(targets.begin(), targets.end(),
                     [&](const std::string& glob) { return names(glob, layer_of(parameter)); });
}

AdapterOptions AdapterOptions::from(const Json& adapter, uint64_t seed) {
  AdapterOptions options;
  options.rank = adapter.value("rank", options.rank);
  options.alpha = adapter.value("alpha", options.alpha);
  options.stabilised = adapter.value("rank_stabilised", false);
  options.magnitudes = adapter.value("use", "lora") == "dora";
  options.b_rate = adapter.value("b_rate", options.b_rate);
  options.targets = adapter.value("targets", std::vector<std::string>());
  options.seed = seed;
  return options;
}

std::vector<Parameter> attach_adapters(LoadedModel& loaded, const AdapterOptions& options) {
  const at::NoGradGuard no_grad;
  std::vector<Parameter> made;
  for (const Parameter& weight : targets_of(loaded, options)) {
    Adapter& adapter = *weight.adapter;
    const at::Tensor w_OI = weight_OI(weight);
    const int64_t out = w_OI.size(0), in = w_OI.size(1);
    const std::string layer = layer_of(weight);
    adapter.scale = options.alpha /
                    (options.stabilised ? std::sqrt(double(options.rank)) : double(options.rank));
    adapter.a_RI = at::empty({options.rank, in}, at::kFloat);
    RandomStream stream(options.seed, layer + ".lora_A", 0);
    float* data = adapter.a_RI.data_ptr<float>();
    for (int64_t i = 0; i < adapter.a_RI.numel(); ++i)
      data[i] = float((2 * stream.uniform() - 1) / std::sqrt(double(in)));
    adapter.a_RI = adapter.a_RI.to(loaded.device);
    adapter.b_OR =
        at::zeros({out, options.rank}, at::TensorOptions(at::kFloat).device(loaded.device));
    // As long as B is zero A has no gradient.
    made.push_back({layer + ".lora_A.weight", adapter.a_RI, true, 0, true});
    made.push_back({layer + ".lora_B.weight", adapter.b_OR, true, 0, weight.sparse});
    made.back().rate = float(options.b_rate);
    if (!options.magnitudes) continue;
    adapter.magnitude_O = at::linalg_vector_norm(w_OI.to(at::kFloat), 2, at::IntArrayRef{1});
    made.push_back(
        {layer + ".lora_magnitude_vector", adapter.magnitude_O, false, 0, weight.sparse});
  }
  return made;
}

Json adapter_config(const std::string& folder) {
  const fs::path file = fs::path(folder) / "adapter_config.json";
  if (!fs::exists(file)) return nullptr;
  const Json config = Json::parse(text_of(file), nullptr, false);
  if (!config.is_object()) throw Error(file.string() + " is not a JSON object");
  return config;
}

int64_t value_outputs(const std::string& folder, HostServices& host) {
  const auto file = host.checkpoint((fs::path(folder) / "adapter_model.safetensors").string());
  for (const attune_tensor& tensor : file->tensors()) {
    if (view(tensor.name) == std::string(kPrefix) + "score.weight") return tensor.shape[0];
  }
  return 0;
}

std::vector<Parameter> read_adapters(LoadedModel& loaded, const std::string& folder,
                                     const AdapterOptions& given, HostServices& host) {
  const Json config = adapter_config(folder);
  if (config.is_null())
    throw Error(folder +
                ": no adapter_config.json; expected an adapter's folder as PEFT writes it");
  refuse_unknown(config, folder);
  const auto file = host.checkpoint((fs::path(folder) / "adapter_model.safetensors").string());
  AdapterOptions options = given;
  options.rank = config.at("r");
  options.alpha = config.at("lora_alpha");
  options.stabilised = config.value("use_rslora", false);
  options.magnitudes = config.value("use_dora", false);
  options.targets.clear();
  std::map<std::string, std::string> there;  // Names here, and in the file.
  for (const attune_tensor& tensor : file->tensors()) {
    const std::string name(view(tensor.name));
    if (!name.starts_with(kPrefix))
      throw Error(folder + ": tensor " + name +
                  " is not of an adapter: expected a name that begins with " + kPrefix);
    std::string here = name.substr(std::string_view(kPrefix).size());
    // PEFT keeps beside an adapter of the head the head itself.
    if (constexpr std::string_view kBase = ".base_layer.weight"; here.ends_with(kBase))
      here.replace(here.size() - kBase.size(), kBase.size(), ".weight");
    there[here] = name;
    if (const size_t at = name.find(".lora_A."); at != name.npos)
      options.targets.push_back(
          name.substr(std::string_view(kPrefix).size(), at - std::string_view(kPrefix).size()));
  }
  std::vector<Parameter> made = attach_adapters(loaded, options), filled = made;
  for (const Parameter& parameter : loaded.parameters) {
    if (there.contains(parameter.name)) filled.push_back(parameter);
  }
  const at::NoGradGuard no_grad;
  for (const Parameter& parameter : filled) {
    const auto stored = there.extract(parameter.name);
    if (stored.empty()) throw Error(folder + ": the adapter lacks " + parameter.name);
    file->read(stored.mapped(), [&](const attune_tensor& read) {
      const at::IntArrayRef shape(read.shape, size_t(read.n_dims));
      at::Tensor target = parameter.tensor;
      if (shape != target.sizes())
        throw Error(folder + ": " + parameter.name + " has another shape than this model's layer");
      target.copy_(at::from_blob(const_cast<void*>(read.data.data), shape,
                                 at::TensorOptions(scalar_type(read.dtype))));
    });
  }
  if (!there.empty()) throw Error(folder + ": this model has no place for " + there.begin()->first);
  return made;
}

void write_adapters(const std::string& folder, const std::string& base,
                    const std::vector<Parameter>& adapters, const std::vector<Parameter>& whole,
                    const LoadedModel& loaded, const AdapterOptions& options, HostServices& host) {
  const fs::path staging = folder + ".part";
  fs::remove_all(staging);
  fs::create_directories(staging);
  const bool transposed = std::any_of(loaded.parameters.begin(), loaded.parameters.end(),
                                      [](const Parameter& p) { return p.transposed; });
  std::set<std::string> modules;
  NamedTensors tensors;
  for (const Parameter& parameter : adapters)
    tensors.emplace_back(kPrefix + parameter.name, parameter.tensor);
  for (const Parameter& parameter : whole) {
    tensors.emplace_back(kPrefix + parameter.name, parameter.tensor);
    modules.insert(parameter.name.substr(0, parameter.name.rfind('.')));
  }
  const Json config = {{"peft_type", "LORA"},
                       {"task_type", loaded.value.weight_KD.defined() ? "SEQ_CLS" : "CAUSAL_LM"},
                       {"base_model_name_or_path", base},
                       {"r", options.rank},
                       {"lora_alpha", options.alpha},
                       {"lora_dropout", 0.0},
                       {"bias", "none"},
                       {"use_rslora", options.stabilised},
                       {"use_dora", options.magnitudes},
                       {"fan_in_fan_out", transposed},
                       {"inference_mode", true},
                       {"target_modules", target_modules(loaded, adapters)},
                       {"modules_to_save", modules.empty() ? Json() : Json(modules)}};
  write_atomically(staging / "adapter_config.json", config.dump(2) + "\n");
  host.write_tensors((staging / "adapter_model.safetensors").string(), TensorViews(tensors).views,
                     {{"format", "pt"}});
  sync_path(staging);
  fs::remove_all(folder);
  fs::rename(staging, folder);
  sync_path(fs::absolute(folder).parent_path());
}

void merge_adapters(LoadedModel& loaded) {
  const at::NoGradGuard no_grad;
  unpack_weights(loaded);
  for (Parameter& parameter : loaded.parameters) {
    if (!parameter.adapter || !parameter.adapter->there()) continue;
    weight_OI(parameter).copy_(nn::adapted_weight(weight_OI(parameter), *parameter.adapter));
    const bool usual = parameter.adapter->usual;
    *parameter.adapter = Adapter();
    parameter.adapter->usual = usual;
  }
}

}  // namespace attune
