// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "attune/algorithm.h"
#include "attune/model.h"
#include "kernel/engine/batch.h"
#include "kernel/engine/conformance/made_up.h"
#include "kernel/engine/step_loss.h"
#include "kernel/host/engine_api.h"

/// What the laws are about: every algorithm and every model plugin that the build made, found as the host finds them. A
/// new plugin joins by its folder alone: an algorithm brings golden.json, a model tiny.json.
namespace attune::laws {

/// Names of every algorithm, or every model.
std::vector<std::string> algorithms();
std::vector<std::string> models();
/// A model for laws about algorithms: one whose head is a parameter of its own.
std::string any_model();

/// golden.json of an algorithm, tiny.json of a model, from the source tree. Throws Error where it is missing.
Json companion(const std::string& kind_folder, const std::string& name, const std::string& file);

/// An algorithm with the given options, the rest at their defaults.
struct AlgorithmUnderLaw {
  explicit AlgorithmUnderLaw(const std::string& name, const Json& options = Json::object());
  Plugin<attune_object> object;
  Json metadata;
  Algorithm* algorithm;
  /// What its samples are first of all: "supervised", "pair", "ranking" or "unpaired".
  std::string shape() const;
  /// Whether it learns a value head, and not the language model's.
  bool values() const { return algorithm->needs().values > 0; }
  EncodeOptions encoding(int64_t max_length, bool share_prompt) const;
  AnswerLabels labels(size_t sample, size_t answer) const;  ///< made up
  /// Answers of a sample of that shape.
  size_t answers() const;
};

/// A model from its tiny.json, randomly initialised, every parameter trainable.
struct ModelUnderLaw {
  explicit ModelUnderLaw(const std::string& name, int64_t vocabulary = 0, uint64_t seed = 1);  ///< 0: as in tiny.json
  Plugin<attune_object> object;
  Model* model;
  std::vector<Parameter> parameters;
  ValueHead value;  ///< three outputs
  Json config;
  /// With a value head or a teacher, another model of random weights, where the algorithm needs one.
  TrainedPolicy policy(const AlgorithmUnderLaw& subject);
  std::unique_ptr<ModelUnderLaw> teacher;

  /// Gradients of every parameter, flattened into one vector; they are cleared.
  at::Tensor take_gradient();
};

/// Random samples of a model's vocabulary, of one answer or two. `shared`: answers share the prompt's rows; the same seed
/// gives the same content either way.
std::vector<Encoded> random_samples(const ModelUnderLaw& model, bool pairs, size_t n, uint64_t seed, bool shared = true);
/// The same in the shape that an algorithm asks for, with labels.
std::vector<Encoded> samples_for(const AlgorithmUnderLaw& subject, const ModelUnderLaw& model, size_t n, uint64_t seed, bool shared = true);
/// Packed samples with made-up scores of a reference that depend on a sample's content alone, so that they are the same in
/// every packing.
MicroBatch prepared(const ModelUnderLaw& model, std::span<const Encoded* const> samples);

/// The tokenizer of a folder.
std::unique_ptr<Tokenizer> tokenizer(const std::string& folder);

using conformance::pointers;
using conformance::relative_gap;

}  // namespace attune::laws
