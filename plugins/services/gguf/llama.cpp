// SPDX-License-Identifier: Apache-2.0
#include "llama.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

namespace attune {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<std::string_view, std::string_view> kWhole[] = {
    {"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}};

constexpr std::pair<std::string_view, std::string_view> kOfLayer[] = {
    {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"}};

template <size_t n>
std::string_view translated(const std::pair<std::string_view, std::string_view> (&table)[n],
                            std::string_view name) {
  for (const auto& [from, to] : table) {
    if (from == name) return to;
  }
  return "";
}

/// "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight"; "" for a name that no Llama
/// has.
std::string hugging_face_name(std::string_view name) {
  const size_t last = name.rfind('.');
  if (last == name.npos) return "";
  const std::string_view kind = name.substr(last), stem = name.substr(0, last);
  if (kind != ".weight" && kind != ".bias") return "";
  if (!stem.starts_with("blk.")) {
    const std::string_view whole = translated(kWhole, stem);
    return whole.empty() ? "" : std::string(whole) + std::string(kind);
  }
  const size_t dot = stem.find('.', 4);
  if (dot == stem.npos || dot == 4) return "";
  const std::string_view layer = stem.substr(4, dot - 4);
  const std::string_view part = translated(kOfLayer, stem.substr(dot + 1));
  if (part.empty() || layer.find_first_not_of("0123456789") != layer.npos) return "";
  return "model.layers." + std::string(layer) + "." + std::string(part) + std::string(kind);
}

/// What llama.cpp precomputes and Transformers works out from the configuration.
bool is_derived(std::string_view name) {
  return name == "rope_freqs.weight" || name.ends_with(".attn_rot_embd.weight");
}

/// Llama 3's frequency factors: 1 for short waves, `factor` for long ones, in between a smooth
/// passage.
std::vector<double> llama3_factors(double theta, int64_t head_dim, double factor, double low,
                                   double high, double context) {
  std::vector<double> factors;
  for (int64_t i = 0; i < head_dim; i += 2) {
    const double wave = 2 * std::numbers::pi * std::pow(theta, double(i) / double(head_dim));
    const double smooth = std::clamp((context / wave - low) / (high - low), 0.0, 1.0);
    factors.push_back(1 / ((1 - smooth) / factor + smooth));
  }
  return factors;
}

}  // namespace

LlamaCheckpoint::LlamaCheckpoint(const GgufFile& file) : file_(file) {
  const std::string_view architecture = file.text("general.architecture").value_or("");
  if (architecture != "llama") {
    file.refuse("gguf architecture \"" + std::string(architecture) + "\"; known: llama",
                ATTUNE_E_UNSUPPORTED);
  }
  if (file.integer("llama.expert_count").value_or(0) > 0) {
    file.refuse("a mixture of experts (llama.expert_count); known: llama without experts",
                ATTUNE_E_UNSUPPORTED);
  }
  if (const int64_t parts = file.integer("split.count").value_or(0); parts > 1) {
    file.refuse("one of " + std::to_string(parts) +
                    " parts; join them with llama.cpp's llama-gguf-split --merge",
                ATTUNE_E_UNSUPPORTED);
  }
  const int64_t heads = required("llama.attention.head_count"), kv_heads = key_value_heads();
  for (const GgufTensor& tensor : file.tensors()) {
    if (is_derived(tensor.name)) continue;
    const std::string who = "tensor \"" + std::string(tensor.name) + "\"";
    const std::string name = hugging_face_name(tensor.name);
    if (name.empty()) file.refuse(who + " has no place in a Llama", ATTUNE_E_UNSUPPORTED);
    const bool query = name.find(".q_proj.") != name.npos, key = name.find(".k_proj.") != name.npos;
    const int64_t permuted = query ? heads : key ? kv_heads : 0;
    if (permuted > 0 && (tensor.shape.empty() || tensor.shape[0] % (2 * permuted) != 0)) {
      file.refuse(who + ": expected rows for " + std::to_string(permuted) +
                  " heads of even size, found " +
                  (tensor.shape.empty() ? "none" : std::to_string(tensor.shape[0])));
    }
    tensors_.push_back({name, &tensor, permuted});
  }
  for (const LlamaTensor& tensor : tensors_) by_name_.emplace(tensor.name, &tensor);
}

const LlamaTensor* LlamaCheckpoint::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

int64_t LlamaCheckpoint::required(const std::string& key) const {
  const std::optional<int64_t> value = file_.integer(key);
  if (!value) file_.refuse("expected metadata \"" + key + "\", found none");
  if (*value < 1 || *value > INT32_MAX) {
    file_.refuse("metadata \"" + key + "\": expected a positive number, found " +
                 std::to_string(*value));
  }
  return *value;
}

int64_t LlamaCheckpoint::key_value_heads() const {
  const std::string key = "llama.attention.head_count_kv";
  return required(file_.has(key) ? key : "llama.attention.head_count");
}

int64_t LlamaCheckpoint::head_size() const {
  for (const char* key : {"llama.attention.key_length", "llama.rope.dimension_count"}) {
    if (file_.has(key)) return required(key);
  }
  return required("llama.embedding_length") / required("llama.attention.head_count");
}

std::string LlamaCheckpoint::config() const {
  const GgufTensor* embedding = file_.find("token_embd.weight");
  if (!embedding || embedding->shape.size() != 2) {
    file_.refuse("expected a matrix \"token_embd.weight\", found none");
  }
  const int32_t dtype = embedding->type ? embedding->type->dtype : ATTUNE_F32;
  const double theta = file_.number("llama.rope.freq_base").value_or(10000.0);
  const std::optional<double> eps = file_.number("llama.attention.layer_norm_rms_epsilon");
  if (!eps)
    file_.refuse("expected metadata \"llama.attention.layer_norm_rms_epsilon\", found none");

  Json config = {
      {"architectures", {"LlamaForCausalLM"}},
      {"model_type", "llama"},
      {"hidden_size", required("llama.embedding_length")},
      {"intermediate_size", required("llama.feed_forward_length")},
      {"num_hidden_layers", required("llama.block_count")},
      {"num_attention_heads", required("llama.attention.head_count")},
      {"num_key_value_heads", key_value_heads()},
      {"head_dim", head_size()},
      {"hidden_act", "silu"},
      {"rms_norm_eps", *eps},
      {"rope_theta", theta},
      {"rope_scaling", Json::parse(rope_scaling(theta))},
      {"max_position_embeddings", required("llama.context_length")},
      {"vocab_size", embedding->shape[0]},
      {"tie_word_embeddings", file_.find("output.weight") == nullptr},
      {"attention_bias", file_.find("blk.0.attn_q.bias") != nullptr},
      {"mlp_bias", file_.find("blk.0.ffn_gate.bias") != nullptr},
      {"torch_dtype", dtype == ATTUNE_F16    ? "float16"
                      : dtype == ATTUNE_BF16 ? "bfloat16"
                                             : "float32"},
  };
  for (const auto& [name, key] : {std::pair("bos_token_id", "tokenizer.ggml.bos_token_id"),
                                  std::pair("eos_token_id", "tokenizer.ggml.eos_token_id"),
                                  std::pair("pad_token_id", "tokenizer.ggml.padding_token_id")}) {
    if (const std::optional<int64_t> id = file_.integer(key)) config[name] = *id;
  }
  return config.dump(2) + "\n";
}

/// The text of `rope_scaling`. Llama 3 files carry its effect only, as factors of each frequency.
std::string LlamaCheckpoint::rope_scaling(double theta) const {
  if (const GgufTensor* tensor = file_.find("rope_freqs.weight")) {
    const bool floats = tensor->type && tensor->type->name == "F32";
    std::vector<float> found(floats ? tensor->bytes.size() / sizeof(float) : 0);
    if (!found.empty()) std::memcpy(found.data(), tensor->bytes.data(), tensor->bytes.size());
    const double factor = found.empty() ? 0 : *std::max_element(found.begin(), found.end());
    const auto expected = llama3_factors(theta, head_size(), factor, 1, 4, 8192);
    const bool same = std::equal(found.begin(), found.end(), expected.begin(), expected.end(),
                                 [](double a, double b) { return std::abs(a - b) < 1e-3 * b; });
    if (!same) {
      file_.refuse(
          "\"rope_freqs.weight\" scales the rotary frequencies in a way that no Llama 3 does",
          ATTUNE_E_UNSUPPORTED);
    }
    return Json({{"rope_type", "llama3"},
                 {"factor", factor},
                 {"low_freq_factor", 1.0},
                 {"high_freq_factor", 4.0},
                 {"original_max_position_embeddings", 8192}})
        .dump();
  }
  const std::string type(file_.text("llama.rope.scaling.type").value_or("none"));
  const double factor = file_.number("llama.rope.scaling.factor")
                            .value_or(file_.number("llama.rope.scale_linear").value_or(1.0));
  const bool linear = type == "linear" || (type == "none" && file_.has("llama.rope.scale_linear"));
  if (linear && factor != 1.0) return Json({{"rope_type", "linear"}, {"factor", factor}}).dump();
  if (linear || type == "none") return "null";
  if (type != "yarn") {
    file_.refuse("rope scaling \"" + type + "\"; known: none, linear, yarn, Llama 3's",
                 ATTUNE_E_UNSUPPORTED);
  }
  Json scaling = {{"rope_type", "yarn"}, {"factor", factor}};
  if (const auto context = file_.integer("llama.rope.scaling.original_context_length")) {
    scaling["original_max_position_embeddings"] = *context;
  }
  return scaling.dump();
}

}  // namespace attune
