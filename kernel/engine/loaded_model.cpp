// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/loaded_model.h"

#include <ATen/ATen.h>
#include <fnmatch.h>

#include <filesystem>
#include <set>

#include "kernel/engine/adapters.h"
#include "kernel/engine/device.h"
#include "kernel/engine/packed_weights.h"
#include "kernel/engine/random.h"
#include "nn/parallel.h"

namespace attune {
namespace {

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (const int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

void initialise(const Parameter& parameter, uint64_t seed) {
  const at::NoGradGuard no_grad;
  at::Tensor tensor = parameter.tensor;
  if (tensor.dim() < 2) {
    tensor.fill_(parameter.start);
    return;
  }
  RandomStream stream(seed, parameter.name, 0);
  const at::Tensor drawn = tensor.is_cpu() && tensor.scalar_type() == at::kFloat ? tensor : at::empty(tensor.sizes(), at::kFloat);
  float* data = drawn.data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) data[i] = 0.02f * stream.normal();
  if (!drawn.is_same(tensor)) tensor.copy_(drawn);
}

/// Draws a parameter anew, and packs it where the options ask for it.
void draw(const Parameter& parameter, const LoadOptions& options, at::ScalarType dtype) {
  initialise(parameter, options.seed);
  if (options.quantize && is_packable(parameter)) pack_weight(parameter, parameter.tensor.clone(), options.double_quant, dtype);
}

void read_weights(LoadedModel& loaded, const LoadOptions& options) {
  std::set<std::string, std::less<>> there;
  for (const attune_tensor& tensor : loaded.checkpoint->tensors()) there.insert(string(tensor.name));

  std::vector<std::string> missing, leftover;
  for (const Parameter& parameter : loaded.parameters) {
    if (there.erase(parameter.name) == 0) {
      const bool fresh = (options.values > 0 && parameter.name.starts_with("score.")) || std::any_of(options.fresh.begin(), options.fresh.end(),
                                     [&](const std::string& glob) { return matches(glob, parameter.name); });
      if (fresh) draw(parameter, options, loaded.dtype);
      else missing.push_back(parameter.name);
      continue;
    }
    loaded.checkpoint->read(parameter.name, [&](const attune_tensor& read) {
      const at::IntArrayRef shape(read.shape, size_t(read.n_dims));
      if (shape != parameter.tensor.sizes()) {
        throw Error(options.path + ": tensor " + parameter.name + " has shape " + shape_text(shape) + ", config.json implies " +
                    shape_text(parameter.tensor.sizes()) + "; the weights and config.json are of different models");
      }
      const at::Tensor source =
          at::from_blob(const_cast<void*>(read.data.data), shape, at::TensorOptions(scalar_type(read.dtype)));
      at::Tensor handle = parameter.tensor;
      if (options.quantize && is_packable(parameter)) pack_weight(parameter, source, options.double_quant, loaded.dtype);
      else handle.copy_(source);
    });
  }
  for (const std::string& name : there) {
    const bool replaced = std::ranges::find(loaded.replaced, name) != loaded.replaced.end();
    if (!replaced && !loaded.model->ignores(name)) leftover.push_back(name);
  }
  const auto list = [](const std::vector<std::string>& names) {
    std::string text;
    for (size_t i = 0; i < names.size() && i < 5; ++i) text += (i ? ", " : "") + names[i];
    return text + (names.size() > 5 ? ", ... (" + std::to_string(names.size()) + " in all)" : "");
  };
  if (!missing.empty()) {
    throw Error(options.path + ": the checkpoint lacks " + list(missing) +
                "; if they are new, name them in model.new_parameters");
  }
  if (!leftover.empty()) {
    throw Error(options.path + ": the checkpoint has tensors that this model has no place for: " + list(leftover) +
                "; the configuration describes another model");
  }
}

/// Puts a value head in the place of the language model's, under the names that Transformers uses.
void add_value_head(LoadedModel& loaded, const LoadOptions& options, HostServices& host) {
  const Head head = loaded.model->head(0);
  std::erase_if(loaded.parameters, [&](const Parameter& parameter) {
    const bool weight = !head.tied && parameter.tensor.is_same(head.weight_VD);
    const bool gone = weight || (head.bias_V.defined() && parameter.tensor.is_same(head.bias_V));
    if (gone) loaded.replaced.push_back(parameter.name);
    return gone;
  });
  loaded.value.weight_KD = at::empty({options.values, loaded.model->shape().width}, at::kFloat);
  loaded.parameters.push_back({"score.weight", loaded.value.weight_KD, true});
  if (options.values_of_tokens) {
    loaded.value.bias_K = at::empty({options.values}, at::kFloat);
    loaded.parameters.push_back({"score.bias", loaded.value.bias_K, false});
  }
  bool there = false;
  if (!options.random) {
    for (const attune_tensor& tensor : loaded.checkpoint->tensors()) there |= view(tensor.name) == "score.weight";
  }
  if (!there) host.log(ATTUNE_LOG_INFO, "score.weight is new: drawn from the seed");

  std::string& name = loaded.config["architectures"][0].get_ref<std::string&>();
  for (const char* suffix : {"ForCausalLM", "LMHeadModel"}) {
    if (name.ends_with(suffix)) name.resize(name.size() - std::string_view(suffix).size());
  }
  if (!name.ends_with("Classification")) name += options.values_of_tokens ? "ForTokenClassification" : "ForSequenceClassification";
  Json labels = Json::object();
  for (int64_t k = 0; k < options.values; ++k) labels[std::to_string(k)] = "LABEL_" + std::to_string(k);
  loaded.config["id2label"] = labels;
  const int64_t end = loaded.tokenizer->token("eos");
  int64_t pad = loaded.tokenizer->token("pad");
  for (const char* other : {"unk", "bos"}) {
    if (pad >= 0 && pad != end) break;
    if (const int64_t id = loaded.tokenizer->token(other); id >= 0 && id != end) loaded.padding = other, pad = id;
  }
  if (pad >= 0) loaded.config["pad_token_id"] = pad;
}

}  // namespace

LoadOptions load_options(const Json& run) {
  const Json& model = run.at("model");
  LoadOptions options;
  options.path = model.at("path");
  options.use = model.value("use", "");
  options.options = model.value("options", Json::object());
  options.tokenizer = model.value("tokenizer", "");
  options.dtype = model.value("dtype", "float32");
  options.device = run.at("run").value("device", "cpu");
  options.random = model.value("init", "checkpoint") == "random";
  options.seed = run.at("run").value("seed", uint64_t(0));
  options.quantize = model.value("quantize", "") == "nf4";
  options.double_quant = model.value("double_quant", true);
  options.fresh = model.value("new_parameters", std::vector<std::string>());
  return options;
}

at::ScalarType scalar_type(const std::string& dtype) {
  if (dtype == "float32") return at::kFloat;
  if (dtype == "bfloat16") return at::kBFloat16;
  throw Error("dtype: expected float32 or bfloat16, found " + dtype);
}

at::ScalarType scalar_type(int32_t dtype) {
  static constexpr at::ScalarType types[] = {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble, at::kLong,
                                             at::kInt,   at::kShort, at::kChar,    at::kByte,   at::kBool};
  if (dtype < ATTUNE_F32 || dtype > ATTUNE_BOOL8) throw Error("unknown tensor type " + std::to_string(dtype));
  return types[dtype - ATTUNE_F32];
}

int32_t attune_dtype(at::ScalarType type) {
  for (int32_t dtype = ATTUNE_F32; dtype <= ATTUNE_BOOL8; ++dtype) {
    if (scalar_type(dtype) == type) return dtype;
  }
  throw Error(std::string("tensors of type ") + c10::toString(type) + " cannot be written");
}

bool matches(const std::string& glob, const std::string& name) { return fnmatch(glob.c_str(), name.c_str(), 0) == 0; }

std::vector<int64_t> LoadedModel::end_ids() const {
  const auto ids_in = [](const Json& json) {
    const Json ids = json.value("eos_token_id", Json());
    if (ids.is_number_integer()) return std::vector<int64_t>{ids.get<int64_t>()};
    if (ids.is_array()) return ids.get<std::vector<int64_t>>();
    return std::vector<int64_t>();
  };
  const std::string text = checkpoint->document("generation_config.json");
  std::vector<int64_t> ids = text.empty() ? std::vector<int64_t>() : ids_in(Json::parse(text));
  if (ids.empty()) ids = ids_in(config);
  if (ids.empty() && tokenizer->token("eos") >= 0) ids = {tokenizer->token("eos")};
  return ids;
}

LoadedModel open_model(const LoadOptions& asked, HostServices& host) {
  if (const Json adapter = adapter_config(asked.path); adapter.is_object()) {
    LoadOptions base = asked;
    base.path = adapter.value("base_model_name_or_path", "");
    if (!std::filesystem::is_directory(base.path)) {
      throw Error(asked.path + "/adapter_config.json: base_model_name_or_path is \"" + base.path + "\", which is no folder here; set it to the model that "
                  "the adapter was trained on");
    }
    if (asked.values < 0) base.values = value_outputs(asked.path, host);
    LoadedModel loaded = open_model(base, host);
    loaded.adapter = asked.path;
    return loaded;
  }
  LoadedModel loaded;
  LoadOptions& options = loaded.options = asked;
  loaded.device = open_device(options.device);
  loaded.dtype = scalar_type(options.dtype);
  loaded.checkpoint = host.checkpoint(options.path);
  const std::string config = loaded.checkpoint->document("config.json");
  if (config.empty()) throw Error(options.path + ": no config.json; expected a folder in the Hugging Face layout");
  loaded.config = Json::parse(config, nullptr, false);
  if (loaded.config.is_discarded()) throw Error(options.path + "/config.json is not valid JSON");

  Json model_options = options.options;
  model_options["config"] = loaded.config;
  const std::string use = options.use.empty() ? host.model_for(loaded.config) : options.use;
  loaded.object = host.object("model/1", use, model_options);
  loaded.model = static_cast<Model*>(loaded.object->object);
  loaded.parameters = loaded.model->parameters();

  loaded.tokenizer_folder = options.tokenizer;
  loaded.tokenizer = host.tokenizer(options.tokenizer.empty() ? options.path : options.tokenizer);
  if (loaded.tokenizer->vocabulary() > loaded.model->shape().vocabulary) {
    throw Error("the tokenizer has " + std::to_string(loaded.tokenizer->vocabulary()) + " tokens, the model's vocabulary is " +
                std::to_string(loaded.model->shape().vocabulary) + "; tokenizer and model do not belong together");
  }

  if (options.values < 0) {
    options.values = 0;
    for (const attune_tensor& tensor : loaded.checkpoint->tensors()) {
      if (view(tensor.name) == "score.weight" && tensor.n_dims == 2) options.values = tensor.shape[0];
      options.values_of_tokens |= view(tensor.name) == "score.bias";
    }
  }
  if (options.values > 0) add_value_head(loaded, options, host);
  for (Parameter& parameter : loaded.parameters) {
    if (loaded.dtype != at::kFloat || loaded.device != at::kCPU)
      parameter.tensor.set_data(at::empty(parameter.tensor.sizes(), at::TensorOptions(loaded.device).dtype(loaded.dtype)));
  }
  return loaded;
}

void fill_model(LoadedModel& loaded, HostServices& host) {
  const at::NoGradGuard no_grad;
  if (loaded.options.random) {
    nn::parallel(int64_t(loaded.parameters.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) draw(loaded.parameters[size_t(i)], loaded.options, loaded.dtype);
    });
  } else {
    read_weights(loaded, loaded.options);
    loaded.checkpoint = host.checkpoint(loaded.options.path);  // Afresh: the mapped file leaves memory, documents stay at hand.
  }
  if (loaded.adapter.empty()) return;
  read_adapters(loaded, loaded.adapter, {}, host);
  merge_adapters(loaded);
}

LoadedModel load_model(const LoadOptions& options, HostServices& host) {
  LoadedModel loaded = open_model(options, host);
  fill_model(loaded, host);
  return loaded;
}

}  // namespace attune
