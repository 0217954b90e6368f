// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <string>
#include <vector>

#include "attune/model.h"
#include "attune/tokenizer.h"
#include "kernel/engine/batch.h"

/// Samples, labels, weights and a tokenizer that are made up: what models and algorithms are held to their laws with. All are
/// functions of a seed.
namespace attune::conformance {

/// Random samples of `answers` answers each, of a vocabulary. `shared`: answers share the prompt's rows; the same seed gives the
/// same content either way. Positions count rows on every axis.
std::vector<Encoded> random_samples(const ModelShape& shape, int64_t answers, size_t n, uint64_t seed, bool shared = true);

/// What the data might say of an answer.
AnswerLabels made_up_labels(size_t sample, size_t answer, size_t answers);

/// Rows for a value head: at the end of each answer, with `steps` also at its second token.
void add_marks(Encoded& sample, size_t answers, bool steps);

/// Packed samples with scores of a reference that depend on a sample's content alone, so that they are the same in every packing.
MicroBatch prepared(int64_t position_axes, std::span<const Encoded* const> samples);

std::vector<const Encoded*> pointers(const std::vector<Encoded>& samples);

/// Weights drawn by name: normal with deviation 0.2, those of norms around `start`.
void fill(const std::vector<Parameter>& parameters, uint64_t seed);

/// Largest absolute difference over the largest absolute value of `expected`; infinite where one is not finite.
double relative_gap(const at::Tensor& found, const at::Tensor& expected);

/// A token a byte, folded into a vocabulary; a template of "role: text" lines.
class ByteTokenizer final : public Tokenizer {
 public:
  explicit ByteTokenizer(int64_t vocabulary) : vocabulary_(vocabulary) {}
  int64_t vocabulary() const override { return vocabulary_; }
  int64_t token(std::string_view name) const override;
  Encoding encode(std::string_view text, bool add_special) const override;
  std::string decode(std::span<const int64_t> ids, bool skip_special) const override;
  std::string decode_next(std::span<const int64_t> ids, bool skip_special) const override;
  Rendering render(std::span<const attune_turn> turns, bool generation_prompt) const override;

 private:
  int64_t vocabulary_;
};

}  // namespace attune::conformance
