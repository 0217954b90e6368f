// SPDX-License-Identifier: Apache-2.0
#include "nn/decoder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "attune/error.h"
#include "nn/recompute.h"
#include "nn/text_encoding.h"

namespace attune::nn {
namespace {

std::string within(const std::string& prefix, const std::string& name) {
  return name.empty() ? name : prefix + name;
}

}  // namespace

Decoder::Decoder(DecoderSpec spec) : spec_(std::move(spec)) {
  const auto table = [&](int64_t rows) { return at::empty({rows, spec_.width}, at::kFloat); };
  embedding_VD_ = table(spec_.vocabulary);
  if (!spec_.learned_positions.empty())
    positions_PD_ = table(spec_.max_length + spec_.position_offset);
  if (!spec_.tied) {
    head_VD_ = table(spec_.vocabulary);
    head_adapter_ = std::make_shared<Adapter>();
    head_adapter_->usual = false;
  }
  for (size_t i = 0; i < spec_.layers.size(); ++i)
    layers_.push_back(make_layer(static_cast<int64_t>(i)));
  final_norm_ = Norm(spec_.final_norm, spec_.norm, spec_.width, spec_.eps);
}

Decoder::Layer Decoder::make_layer(int64_t index) const {
  const LayerSpec& about = spec_.layers[index];
  const LayerNames& names = spec_.names;
  const std::string prefix = spec_.layer + std::to_string(index) + ".";
  const int64_t wide = spec_.heads * spec_.head_size, narrow = spec_.key_heads * spec_.head_size;
  const auto norm = [&](const std::string& name, int64_t width) {
    return Norm(within(prefix, name), spec_.norm, width, spec_.eps);
  };
  const auto project = [&](const std::string& name, int64_t out, int64_t in, bool bias) {
    return Projection(within(prefix, name), out, in, bias, spec_.transposed);
  };
  Layer layer;
  layer.before_attention = norm(names.before_attention, spec_.width);
  layer.after_attention = norm(names.after_attention, spec_.width);
  layer.before_feed = norm(names.before_feed, spec_.width);
  layer.after_feed = norm(names.after_feed, spec_.width);
  layer.q_norm = norm(names.q_norm, spec_.joint_qk_norm ? wide : spec_.head_size);
  layer.k_norm = norm(names.k_norm, spec_.joint_qk_norm ? narrow : spec_.head_size);
  if (names.qkv.empty()) {
    layer.q = project(names.q, wide, spec_.width, spec_.qkv_bias);
    layer.k = project(names.k, narrow, spec_.width, spec_.qkv_bias);
    layer.v = project(names.v, narrow, spec_.width, spec_.qkv_bias);
  } else {
    layer.qkv = project(names.qkv, wide + 2 * narrow, spec_.width, spec_.qkv_bias);
  }
  layer.o = project(names.o, spec_.width, wide, spec_.o_bias);
  if (about.experts == 0) {
    layer.feed = make_feed(prefix, names.feed, about.inner);
    return layer;
  }
  layer.experts.router = project(names.router, about.experts, spec_.width, false).unusual();
  layer.experts.active = about.active_experts;
  layer.experts.normalised = about.normalised;
  for (int64_t e = 0; e < about.experts; ++e) {
    layer.experts.experts.push_back(
        make_feed(prefix + names.experts + std::to_string(e) + ".", names.expert, about.inner));
    FeedForward& made = layer.experts.experts.back();
    for (Projection* projection : {&made.gate, &made.up, &made.gate_up, &made.down}) {
      if (projection->there()) projection->unusual();
    }
  }
  return layer;
}

FeedForward Decoder::make_feed(const std::string& prefix, const FeedNames& names,
                               int64_t inner) const {
  const auto project = [&](const std::string& name, int64_t out, int64_t in) {
    return Projection(within(prefix, name), out, in, spec_.feed_bias, spec_.transposed);
  };
  FeedForward made;
  made.activation = spec_.activation;
  if (names.gate_up.empty()) {
    made.gate = project(names.gate, inner, spec_.width);
    made.up = project(names.up, inner, spec_.width);
  } else {
    made.gate_up = project(names.gate_up, 2 * inner, spec_.width);
  }
  made.down = project(names.down, spec_.width, inner);
  return made;
}

ModelShape Decoder::shape() const {
  ModelShape made;
  made.vocabulary = spec_.vocabulary, made.width = spec_.width;
  made.layers = static_cast<int64_t>(layers_.size());
  made.max_length = spec_.max_length;
  made.attention_width = spec_.heads * spec_.head_size;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const LayerSpec& about = spec_.layers[i];
    made.block_parameters +=
        layer.q.size() + layer.k.size() + layer.v.size() + layer.qkv.size() + layer.o.size();
    made.block_parameters +=
        about.experts == 0
            ? layer.feed.size()
            : layer.experts.router.size() + about.active_experts * layer.experts.experts[0].size();
    const auto alike = std::find(spec_.layers.begin(), spec_.layers.begin() + static_cast<ptrdiff_t>(i), about);
    made.kinds.push_back(alike - spec_.layers.begin());
  }
  return made;
}

std::vector<Parameter> Decoder::parameters() {
  std::vector<Parameter> all;
  const auto add = [&](const std::string& name, const at::Tensor& tensor) {
    if (tensor.defined()) all.push_back({name + ".weight", tensor, true});
  };
  add(spec_.embedding, embedding_VD_);
  add(spec_.learned_positions, positions_PD_);
  for (const Layer& layer : layers_) {
    for (const Projection* projection : {&layer.q, &layer.k, &layer.v, &layer.qkv, &layer.o})
      projection->collect(all);
    layer.feed.collect(all);
    layer.experts.collect(all);
    for (const Norm* norm : {&layer.before_attention, &layer.q_norm, &layer.k_norm,
                             &layer.after_attention, &layer.before_feed, &layer.after_feed})
      norm->collect(all);
  }
  final_norm_.collect(all);
  add(spec_.head, head_VD_);
  if (head_VD_.defined()) all.back().adapter = head_adapter_;
  return all;
}

bool Decoder::ignores(std::string_view name) const {
  if (spec_.tied && name == spec_.head + ".weight") return true;
  return std::any_of(spec_.redundant.begin(), spec_.redundant.end(),
                     [&](const std::string& end) { return name.ends_with(end); });
}

Encoded Decoder::encode(const attune_sample& sample, const Tokenizer& tokenizer,
                        const EncodeOptions& options) const {
  EncodeOptions limited = options;
  if (limited.max_length <= 0) limited.max_length = spec_.max_length;
  if (positions_PD_.defined() && limited.max_length > spec_.max_length) {
    throw Error(spec_.who + ": max_length = " + std::to_string(limited.max_length) +
                ", but the model has learned " + std::to_string(spec_.max_length) +
                " positions; lower max_length");
  }
  return encode_text(sample, tokenizer, limited, spec_.who);
}

at::Tensor Decoder::embed(const Batch& batch) const {
  at::Tensor x_ND = nn::embedding(batch.ids_N, embedding_VD_);
  if (batch.noise_ND.defined()) x_ND = x_ND + batch.noise_ND.to(x_ND.scalar_type());
  // The scale has the dtype of the weights, as where these models were trained.
  if (spec_.embedding_scale != 1)
    x_ND = x_ND * at::full({}, spec_.embedding_scale, x_ND.options().requires_grad(false));
  if (positions_PD_.defined())
    x_ND = x_ND + at::embedding(positions_PD_, batch.positions_AN[0] + spec_.position_offset);
  return x_ND;
}

at::Tensor Decoder::add(const at::Tensor& x_ND, const at::Tensor& share_ND,
                        const Norm& after) const {
  return spec_.norm_after_sum ? after(x_ND + share_ND) : x_ND + after(share_ND);
}

at::Tensor Decoder::feed(const Layer& layer, const at::Tensor& x_ND) const {
  return layer.experts.active > 0 ? layer.experts(x_ND) : layer.feed(x_ND);
}

at::Tensor Decoder::attend(int64_t index, const at::Tensor& x_ND,
                           const std::vector<at::Tensor>& angles,
                           const std::vector<Segment>& segments, KeyValueCache* cache) const {
  const Layer& layer = layers_[index];
  const LayerSpec& about = spec_.layers[index];
  const int64_t n = x_ND.size(0), d = spec_.head_size, heads = spec_.heads, keys = spec_.key_heads;
  std::vector<at::Tensor> qkv =
      layer.qkv.there() ? layer.qkv(x_ND).split_with_sizes({heads * d, keys * d, keys * d}, 1)
                        : std::vector<at::Tensor>{layer.q(x_ND), layer.k(x_ND), layer.v(x_ND)};
  const auto in_heads = [&](const at::Tensor& rows, const Norm& norm, int64_t count) {
    const bool each = norm.there() && !spec_.joint_qk_norm;
    at::Tensor x = norm(each ? rows.reshape({n * count, d}) : rows).view({n, count, d});
    return angles.empty() ? x : rotate(x, angles[about.rotary]);
  };
  const at::Tensor out_NHd =
      attention(in_heads(qkv[0], layer.q_norm, heads), in_heads(qkv[1], layer.k_norm, keys),
                qkv[2].view({n, keys, d}), segments, cache, index, about.attention);
  return layer.o(out_NHd.reshape({n, heads * d}));
}

at::Tensor Decoder::hidden(const Batch& batch, Cache* cache) {
  auto* kept = static_cast<KeyValueCache*>(cache);
  std::vector<at::Tensor> angles;
  for (const Rotary& rotary : spec_.rotary) angles.push_back(rotary.angles(batch.positions_AN[0]));
  at::Tensor x_ND = embed(batch);
  const auto segments = std::make_shared<const std::vector<Segment>>(batch.segments);
  const int64_t end = std::min(static_cast<int64_t>(layers_.size()), batch.end_layer);
  for (int64_t i = batch.first_layer; i < end; ++i) {
    const auto block = [this, i, angles, segments, kept](const at::Tensor& rows_ND) {
      const Layer& layer = layers_[i];
      const at::Tensor y_ND =
          add(rows_ND, attend(i, layer.before_attention(rows_ND), angles, *segments, kept), layer.after_attention);
      return add(y_ND, feed(layer, layer.before_feed(y_ND)), layer.after_feed);
    };
    x_ND = !kept && i < batch.recompute ? recomputed(block, x_ND) : block(x_ND);
  }
  if (kept) kept->advance(batch.segments);
  return final_norm_(x_ND);
}

Head Decoder::head(int32_t index) {
  if (index != 0) {
    throw Error(spec_.who + " has one head, found index " + std::to_string(index),
                ATTUNE_E_INTERNAL);
  }
  Head made;
  made.weight_VD = spec_.tied ? embedding_VD_ : head_VD_;
  if (head_adapter_ && head_adapter_->there()) made.weight_VD = adapted_weight(head_VD_, *head_adapter_).to(head_VD_.scalar_type());
  made.softcap = spec_.logit_softcap;
  made.tied = spec_.tied;
  return made;
}

std::unique_ptr<Cache> Decoder::cache(int64_t slots, int64_t capacity) {
  return std::make_unique<KeyValueCache>(static_cast<int64_t>(layers_.size()), slots, capacity,
                                         spec_.key_heads, spec_.head_size,
                                         embedding_VD_.options().requires_grad(false));
}

}  // namespace attune::nn
