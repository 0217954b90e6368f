// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "attune/abi.h"
#include "attune/algorithm.h"
#include "attune/tokenizer.h"

namespace attune {

/// Legend: N packed rows (tokens), U scored units, D width, V vocabulary, A position axes.

/// A stretch of rows [begin, end) of an encoded sample. Its rows follow the rows of `parent` (-1: none), so answers that
/// share a prompt are branches of one parent.
struct Branch {
  int64_t begin = 0, end = 0;
  int64_t parent = -1;
};

/// One scored prediction.
struct UnitOf {
  int64_t row = 0;       ///< the row whose hidden state predicts it
  int64_t target = 0;    ///< token id
  int64_t sequence = 0;  ///< which answer of the sample
  float weight = 1;
  int32_t head = 0;      ///< which of the model's heads scores it
};

/// What the data says of one answer; NaN where it says nothing.
struct AnswerLabels {
  float rating = std::numeric_limits<float>::quiet_NaN();     ///< higher is better
  float desirable = std::numeric_limits<float>::quiet_NaN();  ///< 1 or 0
  float ratio = std::numeric_limits<float>::quiet_NaN();      ///< density ratio of the prompt
  float safe = std::numeric_limits<float>::quiet_NaN();       ///< 1 or 0
  int64_t kind = -1;         ///< its class
  std::vector<float> steps;  ///< 1 good, 0 neutral, -1 bad; one per step
};

/// A row whose hidden state a value head reads.
struct Mark {
  int64_t row = 0;
  int64_t sequence = 0;  ///< which answer of the sample
  int64_t step = 0;      ///< which step of the answer
};

/// A sample as rows of a model: ragged, no padding. `units` are ordered by sequence.
struct Encoded {
  std::vector<int64_t> ids;        ///< N
  std::vector<int64_t> positions;  ///< A x N, axis-major
  std::vector<Branch> branches;    ///< parents before children; every row is in one branch
  std::vector<UnitOf> units;       ///< U
  std::vector<Mark> marks;         ///< ordered by sequence; none unless asked for
  int64_t sequences = 0;           ///< answers: one per view, best first
  std::vector<AnswerLabels> labels;  ///< one per sequence, or none; the engine's, a model leaves it empty
};

struct EncodeOptions {
  int64_t max_length = 0;      ///< rows of one conversation at most; 0: the model's own limit
  bool share_prompt = true;    ///< rows that the views have in common are there once
  /// What is learned from: every assistant turn behind the prompt, the last one of them, or the whole text.
  enum class Scored { kAssistant, kLast, kAll } scored = Scored::kAssistant;
  /// What is done with a conversation of more than max_length rows: its end goes, or its oldest turns go, or it is refused.
  enum class Truncation { kEnd, kTurns, kRefuse } truncation = Truncation::kEnd;
  /// Rows for a value head: each answer's last, or the last of each of its steps (the text parts of its last turn).
  enum class Marks { kNone, kLast, kSteps } marks = Marks::kNone;
};

/// Rows [begin, end) attend, causally, to all rows of each range in `context` (in that order) and to themselves. With a
/// cache, `slot` is where their keys are appended; they attend to what the slot holds already.
struct Segment {
  int64_t begin = 0, end = 0;
  std::vector<std::pair<int64_t, int64_t>> context;
  int64_t slot = -1;

  bool operator==(const Segment&) const = default;
};

/// Several encoded samples as one.
struct Batch {
  at::Tensor ids_N;         ///< int64
  at::Tensor positions_AN;  ///< int64
  at::Tensor noise_ND;      ///< fp32, added to the embeddings of tokens; undefined: none
  std::vector<Segment> segments;
  /// The first so many layers keep no activations for the backward pass, which computes them again.
  int64_t recompute = 0;
  /// Layers that the rows go through, [first, end): all, except where one is measured.
  int64_t first_layer = 0, end_layer = std::numeric_limits<int64_t>::max();
};

/// Keys and values of sequences in the middle of generation. Made by a model, used only with it.
class Cache {
 public:
  virtual ~Cache() = default;
  virtual int64_t length(int64_t slot) const = 0;
  /// Forgets a slot, so that another request can use it.
  virtual void clear(int64_t slot) = 0;
};

/// A change of low rank beside a linear layer's weight W (O x I), for all that multiplies with it: W + scale B A (LoRA: Hu et al.,
/// 2022), or with magnitudes m the rows of m (W + scale B A) / |W + scale B A| (DoRA: Liu et al., 2024, eq. 5; no gradient goes
/// through the norm, section 4.3). The engine fills it in.
struct Adapter {
  at::Tensor a_RI, b_OR, magnitude_O;  ///< fp32; undefined: there is none
  double scale = 1;
  bool on = true;
  bool usual = true;  ///< taken where a user names no layers; false for heads, routers and experts

  bool there() const { return on && a_RI.defined(); }
};

/// The weight of a linear layer in 4 bits, O x I in blocks of 64 (NF4: Dettmers et al., 2023). The engine fills it in, and
/// the layer then multiplies with it and not with its parameter's tensor.
struct PackedWeight {
  at::Tensor codes;        ///< uint8, two weights a byte, the first in the upper half
  at::Tensor scales;       ///< of each block; fp32, or with double quantisation uint8 codes
  at::Tensor scale_sizes;  ///< fp32, of each 256 codes of scales; undefined: scales are fp32
  float offset = 0;        ///< mean of the scales, which their codes leave out
  int64_t out = 0, in = 0;

  bool there() const { return codes.defined(); }
};

/// One parameter. `tensor` is the model's own handle: set_data() on it changes dtype, device and contents.
struct Parameter {
  std::string name;  ///< as in Hugging Face checkpoints
  at::Tensor tensor;
  bool decay = true;  ///< false for norms and biases
  /// Where a vector begins that is drawn anew: 1 leaves what a norm scales as it is, 0 is for biases and for weights that
  /// are added to one.
  float start = 0;
  bool sparse = false;  ///< may go without a gradient in a step, as an expert that no row chose
  std::shared_ptr<Adapter> adapter = nullptr;  ///< of a linear layer's weight: where the engine may put one
  bool transposed = false;                     ///< that weight is stored as I x O
  float rate = 1;                              ///< times the learning rate
  std::shared_ptr<PackedWeight> packed = nullptr;  ///< of a linear layer's weight: where the engine may put it in 4 bits
};

/// Logits of a row are softcap(scale * (hidden . weight_VD + bias_V)).
struct Head {
  at::Tensor weight_VD;
  at::Tensor bias_V;   ///< undefined: none
  double scale = 1.0;
  double softcap = 0;  ///< 0: none; else c * tanh(z / c)
  bool tied = false;   ///< the weight is the input embedding as well
};

struct ModelShape {
  int64_t vocabulary = 0, width = 0, layers = 0;
  int64_t max_length = 0;         ///< positions it was made for
  int64_t position_axes = 1;
  int64_t block_parameters = 0;   ///< weights that a row is multiplied with, head and embedding excluded
  int64_t attention_width = 0;    ///< query heads x head size
  std::vector<int64_t> kinds;     ///< of each layer: layers of one number are alike in all but their weights
};

/// An architecture. Construction takes the checkpoint's config.json as option `config` (a map); parameters are then
/// allocated, uninitialised. A configuration with a feature that is not implemented is refused by name.
class Model {
 public:
  virtual ~Model() = default;
  virtual ModelShape shape() const = 0;
  /// Every parameter once (tied weights under their first name), in a fixed order.
  virtual std::vector<Parameter> parameters() = 0;
  /// Names in a checkpoint that are known to be redundant (a tied head, a rotary table).
  virtual bool ignores(std::string_view checkpoint_name) const = 0;
  /// [worker] deterministic. Throws Error where the sample has no scored unit, or a part that this model cannot read.
  virtual Encoded encode(const attune_sample& sample, const Tokenizer& tokenizer, const EncodeOptions& options) const = 0;
  /// Hidden states after the final norm, ready for a head: N x D. `cache` may be null.
  virtual at::Tensor hidden(const Batch& batch, Cache* cache) = 0;
  virtual Head head(int32_t index) = 0;
  /// Room for `slots` sequences of up to `capacity` rows.
  virtual std::unique_ptr<Cache> cache(int64_t slots, int64_t capacity) = 0;
};

}  // namespace attune

#define ATTUNE_MODEL(variable, name, Class)                                                       \
  static const attune_factory variable = {ATTUNE_END(attune_factory, create), 0, "model/1", name, \
                                          &attune::create_object<attune::Model, Class>}
