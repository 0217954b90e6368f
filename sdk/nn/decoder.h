// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "attune/model.h"
#include "nn/attention.h"
#include "nn/blocks.h"
#include "nn/rotary.h"

/// A causal language model, as an architecture describes it: DecoderSpec is plain data that a model
/// plugin fills from config.json, Decoder the model that it then is. Each layer, on rows x:
///   x = x + after_attention(o(attention(q(y), k(y), v(y)))),  y = before_attention(x)
///   x = x + after_feed(feed_forward(before_feed(x)))
namespace attune::nn {

struct FeedNames {
  std::string gate = "mlp.gate_proj", up = "mlp.up_proj", down = "mlp.down_proj";
  std::string gate_up;  ///< gate and up in one, instead of them
};

/// Names of a layer's parts, as in the checkpoint, behind the layer's own and without ".weight".
/// A part without a name is not there.
struct LayerNames {
  std::string q = "self_attn.q_proj", k = "self_attn.k_proj", v = "self_attn.v_proj";
  std::string qkv;  ///< the three in one, instead of them
  std::string o = "self_attn.o_proj";
  std::string q_norm, k_norm;  ///< of queries and keys, before they turn
  std::string before_attention = "input_layernorm", after_attention;
  std::string before_feed = "post_attention_layernorm", after_feed;
  FeedNames feed;
  /// Of a layer with experts, instead of `feed`: an expert's names are behind "experts.I.".
  std::string router = "mlp.gate", experts = "mlp.experts.";
  FeedNames expert = {"gate_proj", "up_proj", "down_proj", ""};
};

/// Wherein a layer differs from others of its model.
struct LayerSpec {
  AttentionOptions attention;
  int64_t rotary = 0;  ///< which of DecoderSpec::rotary
  int64_t inner = 0;   ///< width of its feed-forward, or of each expert's
  int64_t experts = 0, active_experts = 0;
  bool normalised = false;  ///< the shares of the active experts sum to one

  bool operator==(const LayerSpec&) const = default;
};

struct DecoderSpec {
  std::string who;  ///< the plugin's name, for messages
  int64_t vocabulary = 0, width = 0, heads = 0, key_heads = 0, head_size = 0;
  int64_t max_length = 0;  ///< positions it was made for
  std::vector<LayerSpec> layers;
  std::vector<Rotary> rotary;  ///< none: queries and keys do not turn
  LayerNames names;
  std::string embedding = "model.embed_tokens", layer = "model.layers.", final_norm = "model.norm",
              head = "lm_head";
  std::string learned_positions;  ///< a table of max_length + position_offset rows
  int64_t position_offset = 0;
  std::vector<std::string> redundant = {"rotary_emb.inv_freq"};  ///< ends of names to pass over
  NormKind norm = NormKind::kRms;
  double eps = 1e-6;
  Activation activation = Activation::kSilu;
  bool qkv_bias = false, o_bias = false, feed_bias = false;
  bool transposed = false;      ///< the checkpoint stores the layers' matrices as I x O
  bool joint_qk_norm = false;   ///< q_norm and k_norm see all heads of a row together, not each
  bool norm_after_sum = false;  ///< x = after(x + ...) instead of x + after(...)
  bool tied = false;            ///< the head's weight is the embedding
  double embedding_scale = 1;
  double logit_softcap = 0;  ///< 0: none
};

class Decoder : public Model {
 public:
  explicit Decoder(DecoderSpec spec);

  ModelShape shape() const override;
  std::vector<Parameter> parameters() override;
  bool ignores(std::string_view checkpoint_name) const override;
  Encoded encode(const attune_sample& sample, const Tokenizer& tokenizer,
                 const EncodeOptions& options) const override;
  at::Tensor hidden(const Batch& batch, Cache* cache) override;
  Head head(int32_t index) override;
  std::unique_ptr<Cache> cache(int64_t slots, int64_t capacity) override;

 private:
  struct Layer {
    Norm before_attention, after_attention, before_feed, after_feed, q_norm, k_norm;
    Projection q, k, v, qkv, o;
    FeedForward feed;
    Experts experts;
  };

  Layer make_layer(int64_t index) const;
  FeedForward make_feed(const std::string& prefix, const FeedNames& names, int64_t inner) const;
  at::Tensor embed(const Batch& batch) const;
  /// A layer's share of the sum, before its norm.
  at::Tensor attend(int64_t index, const at::Tensor& x_ND, const std::vector<at::Tensor>& angles,
                    const std::vector<Segment>& segments, KeyValueCache* cache) const;
  at::Tensor feed(const Layer& layer, const at::Tensor& x_ND) const;
  at::Tensor add(const at::Tensor& x_ND, const at::Tensor& share_ND, const Norm& after) const;

  DecoderSpec spec_;
  at::Tensor embedding_VD_, positions_PD_, head_VD_;  ///< undefined where not there
  std::shared_ptr<Adapter> head_adapter_;
  std::vector<Layer> layers_;
  Norm final_norm_;
};

}  // namespace attune::nn
