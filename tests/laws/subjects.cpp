// SPDX-License-Identifier: Apache-2.0
#include "laws/subjects.h"

#include <ATen/ATen.h>

#include <fstream>

#include "kernel/engine/random.h"
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

AnswerLabels AlgorithmUnderLaw::labels(size_t sample, size_t answer) const {
  return {.rating = float(answers() - answer),
          .desirable = float((sample + answer) % 2 == 0),
          .ratio = 0.5f + float(sample),
          .safe = float((sample + answer) % 3 == 0),
          .kind = int64_t(sample % 2),
          .steps = {float(int64_t(sample % 3) - 1), 1, -1}};
}

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
  for (Parameter& parameter : all) {
    RandomStream stream(seed, parameter.name, 0);
    const at::Tensor flat = parameter.tensor.view(-1);
    const double centre = parameter.tensor.dim() < 2 ? parameter.start : 0.0;
    for (int64_t i = 0; i < flat.numel(); ++i) flat.data_ptr<float>()[i] = float(centre + 0.2 * stream.normal());
    parameter.tensor.set_requires_grad(true);
  }
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

namespace {

std::vector<Encoded> random_answers(const ModelUnderLaw& model, int64_t answers, size_t n, uint64_t seed, bool shared) {
  const int64_t vocabulary = model.model->shape().vocabulary;
  std::vector<Encoded> samples;
  for (size_t s = 0; s < n; ++s) {
    RandomStream random(seed, "law", s);
    const auto upto = [&](int64_t limit) { return int64_t(random.uniform() * double(limit)); };
    const int64_t prompt = 1 + upto(9);
    std::vector<std::vector<int64_t>> tokens(size_t(answers) + 1);
    for (int64_t i = 0; i < prompt; ++i) tokens[0].push_back(upto(vocabulary));
    for (int64_t a = 1; a <= answers; ++a) {
      for (int64_t i = 1 + upto(7); i > 0; --i) tokens[size_t(a)].push_back(upto(vocabulary));
    }
    Encoded made;
    made.sequences = answers;
    const auto append = [&](const std::vector<int64_t>& ids, int64_t position) {
      for (const int64_t id : ids) made.ids.push_back(id), made.positions.push_back(position++);
    };
    if (shared) {
      append(tokens[0], 0);
      made.branches.push_back({0, prompt, -1});
    }
    for (int64_t a = 0; a < answers; ++a) {
      const int64_t begin = int64_t(made.ids.size());
      if (!shared) append(tokens[0], 0);
      int64_t row = shared ? prompt - 1 : begin + prompt - 1;
      append(tokens[size_t(a) + 1], prompt);
      int64_t next = begin + (shared ? 0 : prompt);
      for (const int64_t id : tokens[size_t(a) + 1]) {
        made.units.push_back({row, id, a, 0.5f + float(upto(4)) / 4});
        row = next++;
      }
      made.branches.push_back({begin, int64_t(made.ids.size()), shared ? 0 : -1});
    }
    std::vector<int64_t> one_axis = made.positions;
    for (int64_t axis = 1; axis < model.model->shape().position_axes; ++axis) {
      made.positions.insert(made.positions.end(), one_axis.begin(), one_axis.end());
    }
    samples.push_back(std::move(made));
  }
  return samples;
}

}  // namespace

std::vector<Encoded> random_samples(const ModelUnderLaw& model, bool pairs, size_t n, uint64_t seed, bool shared) {
  return random_answers(model, pairs ? 2 : 1, n, seed, shared);
}

std::vector<Encoded> samples_for(const AlgorithmUnderLaw& subject, const ModelUnderLaw& model, size_t n, uint64_t seed, bool shared) {
  std::vector<Encoded> samples = random_answers(model, int64_t(subject.answers()), n, seed, shared);
  for (size_t s = 0; s < samples.size(); ++s) {
    for (size_t a = 0; a < subject.answers(); ++a) {
      samples[s].labels.push_back(subject.labels(s, a));
      if (!subject.values()) continue;
      std::vector<int64_t> rows;  // Where units are predicted; the last one's own row is behind it.
      for (const UnitOf& unit : samples[s].units) {
        if (unit.sequence == int64_t(a)) rows.push_back(unit.row);
      }
      if (subject.algorithm->needs().steps && rows.size() > 1) samples[s].marks.push_back({rows[1], int64_t(a), 0});
      const bool one = subject.algorithm->needs().steps && rows.size() > 1;
      samples[s].marks.push_back({rows.size() > 1 ? rows.back() + 1 : rows.back(), int64_t(a), one ? 1 : 0});
    }
  }
  return samples;
}

MicroBatch prepared(const ModelUnderLaw& model, std::span<const Encoded* const> samples) {
  MicroBatch micro = pack(samples, model.model->shape().position_axes, at::kCPU);
  micro.scores.reference_U = -2.0 - (micro.target_U % 7).to(at::kFloat) * 0.3;
  std::vector<float> mismatched;
  for (const Encoded* sample : samples) mismatched.push_back(-float(sample->units.front().target % 11));
  micro.scores.mismatched_S = at::tensor(mismatched);
  micro.scores.mismatched_reference_S = micro.scores.mismatched_S - 1.5;
  return micro;
}

std::vector<const Encoded*> pointers(const std::vector<Encoded>& samples) {
  std::vector<const Encoded*> found;
  for (const Encoded& sample : samples) found.push_back(&sample);
  return found;
}

double relative_gap(const at::Tensor& found, const at::Tensor& expected) {
  const double scale = expected.numel() > 0 ? expected.abs().max().to(at::kDouble).item<double>() : 0.0;
  if (scale == 0) return found.numel() > 0 ? found.abs().max().to(at::kDouble).item<double>() : 0.0;
  return (found.to(at::kDouble) - expected.to(at::kDouble)).abs().max().item<double>() / scale;
}

}  // namespace attune::laws
