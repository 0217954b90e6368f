// SPDX-License-Identifier: Apache-2.0
#include "laws/subjects.h"

#include <ATen/ATen.h>

#include <fstream>

#include "kernel/host/plugins/loader.h"
#include "kernel/host/services/tokenizer.h"

namespace attune::laws {
namespace {

const Registry& registry() {
  static const Registry& made = *new Registry({{ATTUNE_PLUGIN_DIR, "the build", true}});
  return made;
}

Loader& loader() {
  static Loader& made = *new Loader(registry(), std::string(ATTUNE_PLUGIN_DIR) + "/../libattune-engine.so",
                                    [](std::string_view, int, std::string_view) {});
  return made;
}

std::vector<std::string> names(std::string_view kind) {
  std::vector<std::string> found;
  for (const ProviderInfo& provider : registry().providers(kind)) found.push_back(provider.name);
  return found;
}

}  // namespace

std::vector<std::string> algorithms() { return names("algorithm/1"); }
std::vector<std::string> models() { return names("model/1"); }

std::string any_model() {
  static const std::string& chosen = *new std::string([] {
    for (const std::string& name : models()) {
      if (!ModelUnderLaw(name).model->head(0).tied) return name;
    }
    throw Error("every model ties its head");
  }());
  return chosen;
}

Json companion(const std::string& kind_folder, const std::string& name, const std::string& file) {
  const std::string path = std::string(ATTUNE_SOURCE_DIR) + "/plugins/" + kind_folder + "/" + name + "/" + file;
  std::ifstream in(path);
  if (!in) throw Error(path + " is missing: every plugin of this kind brings one");
  return Json::parse(in);
}

AlgorithmUnderLaw::AlgorithmUnderLaw(const std::string& name, const Json& options)
    : object(loader().make<attune_object>("algorithm/1", name, options)),
      metadata(registry().resolve("algorithm/1", name).factory->metadata),
      algorithm(static_cast<Algorithm*>(object->object)) {}

std::string AlgorithmUnderLaw::shape() const {
  const Json sample = metadata.at("sample");
  return sample.is_array() ? sample[0] : sample;
}

EncodeOptions AlgorithmUnderLaw::encoding(int64_t max_length, bool share_prompt) const {
  const auto marks = !values() ? EncodeOptions::Marks::kNone : algorithm->needs().steps ? EncodeOptions::Marks::kSteps : EncodeOptions::Marks::kLast;
  return {.max_length = max_length, .share_prompt = share_prompt, .marks = marks};
}

AnswerLabels AlgorithmUnderLaw::labels(size_t sample, size_t answer) const { return conformance::made_up_labels(sample, answer, answers()); }

size_t AlgorithmUnderLaw::answers() const {
  return metadata.value("answers", shape() == "pair" || shape() == "ranking" ? size_t(2) : size_t(1));
}

ModelUnderLaw::ModelUnderLaw(const std::string& name, int64_t vocabulary, uint64_t seed) : config(companion("models", name, "tiny.json")) {
  if (vocabulary > 0) config["vocab_size"] = vocabulary;
  object = loader().make<attune_object>("model/1", name, {{"config", config}});
  model = static_cast<Model*>(object->object);
  parameters = model->parameters();
  value.weight_KD = at::empty({3, model->shape().width});
  std::vector<Parameter> all = parameters;
  all.push_back({"score.weight", value.weight_KD, true});
  conformance::fill(all, seed);
  for (Parameter& parameter : all) parameter.tensor.set_requires_grad(true);
}

TrainedPolicy ModelUnderLaw::policy(const AlgorithmUnderLaw& subject) {
  const Needs needs = subject.algorithm->needs();
  const bool compares = needs.divergence.kind != DivergenceKind::kNone;
  if (compares && !teacher) teacher = std::make_unique<ModelUnderLaw>(any_model(), model->shape().vocabulary, 2);
  return {*model, needs.values > 0 ? ValueHead{value.weight_KD.slice(0, 0, needs.values), {}} : ValueHead(),
          compares ? teacher->model : nullptr};
}

at::Tensor ModelUnderLaw::take_gradient() {
  std::vector<at::Tensor> parts, tensors = {value.weight_KD};
  for (const Parameter& parameter : parameters) tensors.push_back(parameter.tensor);
  for (at::Tensor& tensor : tensors) {
    at::Tensor& gradient = tensor.mutable_grad();
    parts.push_back(gradient.defined() ? gradient.to(at::kDouble).view(-1) : at::zeros({tensor.numel()}, at::kDouble));
    gradient.reset();
  }
  return at::cat(parts);
}

std::unique_ptr<Tokenizer> tokenizer(const std::string& folder) {
  const Provider provider = registry().only("tokenizer/1");
  return make_tokenizer(loader().make<attune_tokenizer>(provider, {{"path", folder}}), PluginFailure(provider.use(), &last_failure));
}

std::vector<Encoded> random_samples(const ModelUnderLaw& model, bool pairs, size_t n, uint64_t seed, bool shared) {
  return conformance::random_samples(model.model->shape(), pairs ? 2 : 1, n, seed, shared);
}

std::vector<Encoded> samples_for(const AlgorithmUnderLaw& subject, const ModelUnderLaw& model, size_t n, uint64_t seed, bool shared) {
  std::vector<Encoded> samples = conformance::random_samples(model.model->shape(), int64_t(subject.answers()), n, seed, shared);
  for (size_t s = 0; s < samples.size(); ++s) {
    for (size_t a = 0; a < subject.answers(); ++a) samples[s].labels.push_back(subject.labels(s, a));
    if (subject.values()) conformance::add_marks(samples[s], subject.answers(), subject.algorithm->needs().steps);
  }
  return samples;
}

MicroBatch prepared(const ModelUnderLaw& model, std::span<const Encoded* const> samples) {
  return conformance::prepared(model.model->shape().position_axes, samples);
}

}  // namespace attune::laws
