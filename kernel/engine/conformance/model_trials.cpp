// SPDX-License-Identifier: Apache-2.0
// What a model is held to, on a configuration small enough to compute everything twice.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <set>

#include "attune/sample.h"
#include "kernel/engine/conformance/made_up.h"
#include "kernel/engine/conformance/model_laws.h"
#include "kernel/engine/conformance/trials.h"

namespace attune::conformance {
namespace {

/// A model with weights of a seed.
struct Subject {
  explicit Subject(const Setting& setting, uint64_t seed = 1)
      : object(setting.make(setting.options)),
        model(*static_cast<Model*>(object->object)),
        parameters(model.parameters()),
        shape(model.shape()) {
    fill(parameters, seed);
  }
  std::vector<Encoded> samples(int64_t answers, size_t n, uint64_t seed, bool shared = true) const {
    return random_samples(shape, answers, n, seed, shared);
  }
  void require_gradients() {
    for (Parameter& parameter : parameters) parameter.tensor.set_requires_grad(true);
  }
  std::vector<at::Tensor> take_gradients() {
    std::vector<at::Tensor> all;
    for (Parameter& parameter : parameters) {
      at::Tensor& gradient = parameter.tensor.mutable_grad();
      all.push_back(gradient.defined() ? gradient.clone() : at::zeros_like(parameter.tensor));
      gradient.reset();
    }
    return all;
  }
  Plugin<attune_object> object;
  Model& model;
  std::vector<Parameter> parameters;
  ModelShape shape;
};

std::string names(const Setting& setting) {
  Subject one(setting), other(setting);
  std::set<std::string> seen;
  if (one.parameters.empty()) throw Error("parameters: expected some, found none");
  const std::vector<Parameter> again = one.model.parameters();
  for (size_t i = 0; i < one.parameters.size(); ++i) {
    const std::string& name = one.parameters[i].name;
    if (name.empty() || !seen.insert(name).second) throw Error("parameters: expected every name once, found \"" + name + "\" twice");
    const bool same = i < again.size() && again[i].name == name && again[i].tensor.is_same(one.parameters[i].tensor);
    if (!same) throw Error("parameters: expected the same ones at every call, found another at place " + std::to_string(i));
    if (i >= other.parameters.size() || other.parameters[i].name != name ||
        other.parameters[i].tensor.sizes() != one.parameters[i].tensor.sizes())
      throw Error("parameters: expected the same ones in every instance, found another at place " + std::to_string(i));
    if (one.model.ignores(name)) throw Error("`ignores` says that a checkpoint's \"" + name + "\" is redundant, and it is a parameter");
  }
  if (one.model.ignores("attune.no.such.tensor")) throw Error("`ignores` passes over a tensor that it cannot know");
  return "";
}

std::string shapes(const Setting& setting) {
  Subject one(setting);
  const at::NoGradGuard no_grad;
  const ModelShape& shape = one.shape;
  if (shape.vocabulary < 1 || shape.width < 1 || shape.layers < 1 || shape.max_length < 1 || shape.position_axes < 1)
    throw Error("shape: expected vocabulary, width, layers, max_length and position_axes of 1 or more");
  const Head head = one.model.head(0);
  if (head.weight_VD.dim() != 2 || head.weight_VD.size(0) != shape.vocabulary || head.weight_VD.size(1) != shape.width)
    throw Error("head: expected a weight of vocabulary x width, found another shape");
  const std::vector<Encoded> samples = one.samples(1, 2, 1);
  const MicroBatch micro = pack(pointers(samples), shape.position_axes, at::kCPU);
  const at::Tensor hidden = one.model.hidden(micro.batch, nullptr);
  if (hidden.dim() != 2 || hidden.size(0) != micro.rows || hidden.size(1) != shape.width)
    throw Error("hidden: expected rows x width, found another shape");
  int64_t matrices = 0;
  for (const Parameter& parameter : one.parameters) matrices += parameter.tensor.dim() == 2 ? parameter.tensor.numel() : 0;
  if (shape.block_parameters < 1 || shape.block_parameters > matrices)
    throw Error("shape: block_parameters is not between 1 and the size of all matrices");
  for (const Parameter& parameter : one.parameters) {
    if (parameter.adapter && parameter.tensor.dim() != 2)
      throw Error("\"" + parameter.name + "\" has a place for an adapter, and is no matrix");
  }
  return "";
}

std::string gradients(const Setting& setting) {
  Subject one(setting);
  one.require_gradients();
  const std::vector<Encoded> samples = one.samples(2, 3, 5);
  likelihoods(one.model, samples).sum().backward();
  for (const Parameter& parameter : one.parameters) {
    const at::Tensor& gradient = parameter.tensor.grad();
    if (parameter.sparse) continue;
    if (!gradient.defined()) throw Error("\"" + parameter.name + "\" takes no part: it has no gradient, and is not declared sparse");
    if (!at::isfinite(gradient).all().item<bool>()) throw Error("\"" + parameter.name + "\": its gradient is not finite");
  }
  // Along its own gradient the likelihood rises by the gradient's length; in each parameter alone, for a wrong one to show.
  const std::vector<at::Tensor> all = one.take_gradients();
  const at::NoGradGuard no_grad;
  double largest = 0;
  for (const at::Tensor& gradient : all) largest = std::max(largest, gradient.norm().item<double>());
  for (size_t i = 0; i < all.size(); ++i) {
    const double size = all[i].norm().item<double>();
    if (size < 1e-3 * largest) continue;  // Rounding has as much.
    double gap = 1;
    for (const double step : {1e-2, 3e-3, 3e-2}) {
      at::Tensor& tensor = one.parameters[i].tensor;
      const at::Tensor before = tensor.clone();
      tensor.add_(all[i], step / size);
      const double above = likelihoods(one.model, samples).sum(at::kDouble).item<double>();
      tensor.copy_(before).sub_(all[i], step / size);
      const double below = likelihoods(one.model, samples).sum(at::kDouble).item<double>();
      tensor.copy_(before);
      gap = std::min(gap, std::abs((above - below) / (2 * step) - size) / size);
    }
    expect_within(gap, 3e-2, "the gradient of \"" + one.parameters[i].name + "\" against finite differences");
  }
  return "";
}

std::string neighbours(const Setting& setting) {
  Subject one(setting);
  expect_within(packing_gap(one.model, one.samples(2, 5, 2)), 2e-5, "samples packed together against each alone");
  return "";
}

std::string shared_prompts(const Setting& setting) {
  Subject one(setting);
  expect_within(likelihood_gap(one.model, one.samples(2, 4, 4, true), one.samples(2, 4, 4, false)), 2e-5,
                "answers that share a prompt's rows against answers with rows of their own");
  return "";
}

std::string causality(const Setting& setting) {
  Subject one(setting);
  const at::NoGradGuard no_grad;
  Encoded sample = one.samples(1, 1, 8)[0];
  const auto hidden = [&] {
    const Encoded* alone[] = {&sample};
    return one.model.hidden(pack(alone, one.shape.position_axes, at::kCPU).batch, nullptr);
  };
  const at::Tensor before = hidden();
  sample.ids.back() = (sample.ids.back() + 1) % one.shape.vocabulary;
  const at::Tensor after = hidden();
  const int64_t n = before.size(0) - 1;
  expect_within(relative_gap(after.slice(0, 0, n), before.slice(0, 0, n)), 2e-6, "rows before a token that changed");
  if (relative_gap(after.slice(0, n), before.slice(0, n)) < 1e-6) throw Error("another token gives the same hidden state");
  return "";
}

std::string caching(const Setting& setting) {
  Subject one(setting);
  expect_within(cache_gap(one.model, one.samples(1, 3, 6)), 2e-5, "rows computed one by one with a cache against all at once");
  const at::NoGradGuard no_grad;
  const std::unique_ptr<Cache> cache = one.model.cache(2, 32);
  const Encoded sample = one.samples(1, 1, 9)[0];
  const Encoded* alone[] = {&sample};
  Batch batch = pack(alone, one.shape.position_axes, at::kCPU).batch;
  const at::Tensor whole = one.model.hidden(batch, nullptr);
  batch.segments = {{0, int64_t(sample.ids.size()), {}, 1}};
  one.model.hidden(batch, cache.get());
  if (cache->length(1) != int64_t(sample.ids.size()) || cache->length(0) != 0)
    throw Error("cache: expected the length of each slot to be the rows it was given");
  cache->clear(1);
  if (cache->length(1) != 0) throw Error("cache: expected a cleared slot to be empty");
  expect_within(relative_gap(one.model.hidden(batch, cache.get()), whole), 2e-5, "a slot that was cleared and used again");
  return "";
}

std::string recomputing(const Setting& setting) {
  Subject one(setting);
  one.require_gradients();
  MicroBatch micro = pack(pointers(one.samples(2, 4, 9)), one.shape.position_axes, at::kCPU);
  log_likelihood(one.model, micro).sum().backward();
  const std::vector<at::Tensor> kept = one.take_gradients();
  micro.batch.recompute = one.shape.layers;
  log_likelihood(one.model, micro).sum().backward();
  const std::vector<at::Tensor> again = one.take_gradients();
  for (size_t i = 0; i < kept.size(); ++i)
    expect_within(relative_gap(again[i], kept[i]), 1e-5, "gradient of \"" + one.parameters[i].name + "\" where layers are computed again");
  return "";
}

std::string noise(const Setting& setting) {
  Subject one(setting);
  const at::NoGradGuard no_grad;
  const std::vector<Encoded> samples = one.samples(1, 2, 3);
  MicroBatch micro = pack(pointers(samples), one.shape.position_axes, at::kCPU);
  const at::Tensor without = one.model.hidden(micro.batch, nullptr);
  micro.batch.noise_ND = at::zeros({micro.rows, one.shape.width});
  expect_within(relative_gap(one.model.hidden(micro.batch, nullptr), without), 1e-6, "noise of zeros");
  micro.batch.noise_ND = at::sin(at::arange(micro.rows * one.shape.width).to(at::kFloat)).view({micro.rows, one.shape.width});
  if (relative_gap(one.model.hidden(micro.batch, nullptr), without) < 1e-6) throw Error("noise_ND is not added to the embeddings");
  return "";
}

std::string weights(const Setting& setting) {
  Subject one(setting, 1), other(setting, 2);
  const std::vector<Encoded> samples = one.samples(1, 3, 3);
  if (likelihood_gap(one.model, samples, samples) != 0) throw Error("the same samples give other bits when they come again");
  const at::NoGradGuard no_grad;
  const at::Tensor expected = likelihoods(one.model, samples);
  if (relative_gap(likelihoods(other.model, samples), expected) < 1e-6) throw Error("other weights give the same likelihoods");
  for (size_t i = 0; i < one.parameters.size(); ++i) other.parameters[i].tensor.set_data(one.parameters[i].tensor.clone());
  if (!at::equal(likelihoods(other.model, samples), expected))
    throw Error("set_data() on every parameter: expected the same bits as the model they come from, found others");
  return "";
}

std::string narrow(const Setting& setting) {
  Subject one(setting);
  const at::NoGradGuard no_grad;
  const std::vector<Encoded> samples = one.samples(1, 3, 3);
  const at::Tensor wide = likelihoods(one.model, samples);
  for (Parameter& parameter : one.parameters) parameter.tensor.set_data(parameter.tensor.to(at::kBFloat16));
  const at::Tensor found = likelihoods(one.model, samples);
  if (found.scalar_type() != at::kFloat) throw Error("likelihoods of bfloat16 weights: expected fp32, found another type");
  expect_within((found - wide).abs().mean().item<double>(), 0.3, "mean likelihood of a token in bfloat16 (absolute)");
  return "";
}

SampleBuilder conversation(size_t answers) {
  SampleBuilder made;
  made.prompt_turns(2);
  const char* texts[] = {"Four, of course.", "No idea"};
  for (size_t a = 0; a < answers; ++a) made.add({.messages = {{"system", "Be brief."}, {"user", "2+2?"}, {"assistant", texts[a % 2]}}});
  return made;
}

/// Throws Error where an encoded sample is none.
void check_encoded(const Encoded& made, const ModelShape& shape, int64_t answers) {
  const auto n = int64_t(made.ids.size());
  if (n == 0) throw Error("encode: expected rows, found none");
  if (int64_t(made.positions.size()) != shape.position_axes * n)
    throw Error("encode: expected position_axes x rows positions, found " + std::to_string(made.positions.size()) + " for " +
                std::to_string(n) + " rows");
  for (const int64_t id : made.ids) {
    if (id < 0 || id >= shape.vocabulary) throw Error("encode: expected ids of the vocabulary, found " + std::to_string(id));
  }
  if (made.sequences != answers)
    throw Error("encode: expected " + std::to_string(answers) + " sequences, found " + std::to_string(made.sequences));
  int64_t covered = 0;
  for (size_t b = 0; b < made.branches.size(); ++b) {
    const Branch& branch = made.branches[b];
    if (branch.begin < 0 || branch.end < branch.begin || branch.end > n || branch.parent >= int64_t(b))
      throw Error("encode: branch " + std::to_string(b) + " lies outside the rows, or before its parent");
    covered += branch.end - branch.begin;
  }
  if (covered != n) throw Error("encode: expected every row in one branch, found " + std::to_string(covered) + " of " + std::to_string(n));
  int64_t before = 0;
  for (const UnitOf& unit : made.units) {
    if (unit.row < 0 || unit.row >= n || unit.target < 0 || unit.target >= shape.vocabulary)
      throw Error("encode: a unit's row or target lies outside");
    if (unit.sequence < before || unit.sequence >= made.sequences) throw Error("encode: units are not ordered by sequence");
    if (!(unit.weight > 0)) throw Error("encode: expected weights above 0, found " + std::to_string(unit.weight));
    before = unit.sequence;
  }
  if (made.units.empty()) throw Error("encode: expected scored units, found none");
}

std::string encoding(const Setting& setting) {
  Subject one(setting);
  const ByteTokenizer tokenizer(one.shape.vocabulary);
  const SampleBuilder pair = conversation(2);
  const Encoded shared = one.model.encode(pair.c(), tokenizer, {});
  const Encoded separate = one.model.encode(pair.c(), tokenizer, {.share_prompt = false});
  check_encoded(shared, one.shape, 2);
  check_encoded(separate, one.shape, 2);
  if (shared.ids.size() > separate.ids.size()) throw Error("encode: sharing the prompt makes more rows, not fewer");
  if (shared.units.size() != separate.units.size()) throw Error("encode: sharing the prompt changes what is scored");
  expect_within(likelihood_gap(one.model, {shared}, {separate}), 2e-5, "an encoded pair that shares its prompt against one that does not");
  const Encoded again = one.model.encode(pair.c(), tokenizer, {});
  if (again.ids != shared.ids || again.positions != shared.positions)
    throw Error("encode: the same sample gives other rows when it comes again");
  for (const auto marks : {EncodeOptions::Marks::kLast, EncodeOptions::Marks::kSteps}) {
    const Encoded marked = one.model.encode(pair.c(), tokenizer, {.marks = marks});
    if (marked.marks.size() < 2) throw Error("encode: expected a mark for each answer, found " + std::to_string(marked.marks.size()));
  }
  return "";
}

/// Whether `body` throws an Error with words.
bool refuses(const std::function<void()>& body) {
  try {
    body();
  } catch (const std::exception& error) {
    return error.what()[0] != 0;
  }
  return false;
}

std::string limits(const Setting& setting) {
  Subject one(setting);
  const ByteTokenizer tokenizer(one.shape.vocabulary);
  const SampleBuilder sample = conversation(1);
  const Encoded whole = one.model.encode(sample.c(), tokenizer, {});
  const auto rows = int64_t(whole.ids.size());
  const Encoded cut = one.model.encode(sample.c(), tokenizer, {.max_length = rows - 3});
  if (int64_t(cut.ids.size()) > rows - 3)
    throw Error("encode: expected at most max_length = " + std::to_string(rows - 3) + " rows, found " + std::to_string(cut.ids.size()));
  if (!refuses(
          [&] { one.model.encode(sample.c(), tokenizer, {.max_length = rows - 3, .truncation = EncodeOptions::Truncation::kRefuse}); }))
    throw Error("encode: a conversation longer than max_length must be refused where truncation says so");
  SampleBuilder prompt;
  prompt.prompt_turns(1).add({.messages = {{"user", "2+2?"}}});
  if (!refuses([&] { one.model.encode(prompt.c(), tokenizer, {}); })) throw Error("encode: a sample without a scored unit must be refused");
  const Json parts = setting.metadata.value("parts", Json::array({"text"}));
  const std::pair<const char*, int32_t> kinds[] = {{"image", ATTUNE_IMAGE}, {"audio", ATTUNE_AUDIO}, {"video", ATTUNE_VIDEO}};
  for (const auto& [name, kind] : kinds) {
    if (std::find(parts.begin(), parts.end(), name) != parts.end()) continue;
    const attune_part part{kind, 0, str("x/y"), str("file"), {}}, answer{ATTUNE_TEXT, 0, {}, {}, {"4", 1}};
    const attune_turn turns[] = {{str("user"), &part, 1, 1.0}, {str("assistant"), &answer, 1, 1.0}};
    SampleBuilder with;
    with.prompt_turns(1).add_view({turns, 2, NAN, {}});
    if (!refuses([&] { one.model.encode(with.c(), tokenizer, {}); }))
      throw Error(std::string("encode: plugin.toml does not list ") + name + " among `parts`, and a sample that has one is taken");
  }
  return "";
}

std::string configurations(const Setting& setting) {
  const Json& config = setting.options.at("config");
  if (!refuses([&] { setting.make({{"config", Json::object()}}); }))
    throw Error("an empty config.json must be refused, naming what is missing");
  for (const auto& [key, value] : config.items()) {
    if (!value.is_number_integer() || value.get<int64_t>() < 1) continue;
    Json options = setting.options;
    options["config"][key] = -1;
    refuses([&] { setting.make(options); });  // Taken or refused; not a crash.
    options["config"][key] = "x";
    refuses([&] { setting.make(options); });
  }
  return "";
}

}  // namespace

Json use_model(Model& model, const Json& given) {
  const at::NoGradGuard no_grad;
  fill(model.parameters(), 1);
  const auto seed = given.value("seed", uint64_t{1});
  const at::Tensor found = likelihoods(model, random_samples(model.shape(), 2, 2, seed));
  const ByteTokenizer tokenizer(model.shape().vocabulary);
  const SampleBuilder sample = conversation(2);
  const Encoded encoded = model.encode(sample.c(), tokenizer, {});
  return {{"likelihood", found.sum(at::kDouble).item<double>()}, {"rows", encoded.ids}, {"units", encoded.units.size()}};
}

std::vector<Trial> model_trials() {
  return {{{"names", "Parameters are there once, in the same order in every instance"}, names},
          {{"shape", "Hidden states, head and parameters have the shape that is declared"}, shapes},
          {{"gradients", "Gradients of every parameter agree with finite differences"}, gradients},
          {{"neighbours", "A row does not depend on what is packed beside it"}, neighbours},
          {{"shared-prompt", "Answers that share a prompt are as if each had its own"}, shared_prompts},
          {{"causality", "A row does not depend on later rows"}, causality},
          {{"cache", "With a cache, rows are the same as without"}, caching},
          {{"recompute", "Computing layers again changes no gradient"}, recomputing},
          {{"noise", "Noise is added to the embeddings"}, noise},
          {{"weights", "Weights that are put into another instance give the same bits"}, weights},
          {{"bfloat16", "Weights in bfloat16 come close"}, narrow},
          {{"encoding", "A sample becomes rows, branches and units that fit together"}, encoding},
          {{"encoding-limits", "What is too long, scores nothing or cannot be read is cut or refused"}, limits},
          {{"configurations", "A config.json that is not understood is refused, and never crashes"}, configurations}};
}

}  // namespace attune::conformance
