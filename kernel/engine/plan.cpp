// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/plan.h"

#include <ATen/ATen.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <sstream>

#include "kernel/engine/block_cache.h"
#include "kernel/engine/packed_weights.h"
#include "kernel/engine/update_rule.h"
#include "nn/nf4.h"

namespace attune {
namespace {

/// Elements of a tile of logits (nn/head_tiles.h).
constexpr double kTile = double(int64_t{4} << 20);
/// Code, and blocks too small to go back to the system, that the first step touches and a plan does not.
constexpr int64_t kFirstStep = 16 << 20;

/// What this process holds, once it has given back what it can.
int64_t resident() {
  empty_block_cache();
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, pages = 0;
  statm >> size >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

/// Seconds that this process has lived.
double process_age() {
  std::ifstream stat("/proc/self/stat"), uptime("/proc/uptime");
  std::string line;
  std::getline(stat, line);
  std::istringstream fields(line.substr(line.rfind(')') + 2));
  double now = 0, begun = 0;
  uptime >> now;
  std::string field;
  for (int i = 0; i < 19; ++i) fields >> field;  // The name was the second, the start is the 22nd.
  fields >> begun;
  return now - begun / double(sysconf(_SC_CLK_TCK));
}

bool named(const std::vector<std::string>& globs, const std::string& name) {
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) { return matches(glob, name); });
}

/// What a run trains: adapters and a new head, or all that is not frozen. Attaches the adapters.
std::vector<Parameter> trained(PreparedRun& prepared) {
  const Json& run = prepared.run;
  std::vector<Parameter> made;
  const bool adapted = run.contains("adapter");
  if (adapted) made = attach_adapters(prepared.policy, AdapterOptions::from(run.at("adapter"), run.at("run").at("seed")));
  const auto frozen = run.at("model").value("freeze", std::vector<std::string>());
  for (const Parameter& parameter : prepared.policy.parameters) {
    if (!named(frozen, parameter.name) && (!adapted || parameter.name.starts_with("score."))) made.push_back(parameter);
  }
  return made;
}

/// Parameters learn while it lives: all that are trained but the tables of a row for each word, which no layer reads.
class Learning {
 public:
  Learning(const std::vector<Parameter>& trainable, int64_t vocabulary) {
    for (const Parameter& parameter : trainable) {
      if (parameter.tensor.dim() > 1 && parameter.tensor.size(0) == vocabulary) continue;
      tensors_.push_back(parameter.tensor);
      tensors_.back().set_requires_grad(true);
    }
  }
  ~Learning() {
    for (at::Tensor& tensor : tensors_) tensor.mutable_grad().reset(), tensor.set_requires_grad(false);
  }
  Learning(const Learning&) = delete;
  Learning& operator=(const Learning&) = delete;

 private:
  std::vector<at::Tensor> tensors_;
};

double sum(const std::vector<BatchShape>& batches, double BatchShape::* field) {
  return std::accumulate(batches.begin(), batches.end(), 0.0, [&](double sum, const BatchShape& of) { return sum + of.*field; });
}
double sum(const std::vector<BatchShape>& batches, int64_t BatchShape::* field) {
  return std::accumulate(batches.begin(), batches.end(), 0.0, [&](double sum, const BatchShape& of) { return sum + double(of.*field); });
}

}  // namespace

int64_t recomputed_layers(const Json& train, int64_t layers) {
  const Json asked = train.value("activation_checkpointing", Json(false));
  return asked.is_boolean() ? asked.get<bool>() ? layers : 0 : std::min(asked.get<int64_t>(), layers);
}

Planner::Planner(PreparedRun& prepared, HostServices& host)
    : prepared_(prepared), host_(host), shape_(prepared.policy.model->shape()), trainable_(trained(prepared)) {
  sizes_.half = prepared.policy.dtype != at::kFloat;
  sizes_.element = sizes_.half ? 2 : 4;
  const Head head = prepared.policy.model->head(0);
  const LoadOptions& options = prepared.policy.options;
  const Json& optimizer = prepared.run.at("optimizer");
  sizes_.early = optimizer.value("in_backward", false);
  for (const Parameter& parameter : prepared.policy.parameters) {
    const int64_t elements = parameter.tensor.numel();
    const bool packed = options.quantize && is_packable(parameter);
    sizes_.all += elements;
    sizes_.weights += packed ? double(nn::nf4_bytes(elements, options.double_quant)) : sizes_.element * double(elements);
    if (packed) sizes_.unpacked = std::max(sizes_.unpacked, (sizes_.half ? 6.0 : 4.0) * double(elements));
  }
  for (const Parameter& parameter : trainable_) {
    sizes_.trainable += parameter.tensor.numel();
    sizes_.states += double(state_bytes(optimizer, parameter.tensor.numel(), is_hidden_matrix(parameter)));
    sizes_.largest = std::max(sizes_.largest, parameter.tensor.numel());
    sizes_.head_trained |= parameter.tensor.is_same(head.weight_VD) && prepared.algorithm->needs().values == 0;
  }
  for (int64_t i = 0; i < shape_.layers; ++i) layer(i, false);
  base_ = resident() + kFirstStep;
}

const LayerMemory& Planner::layer(int64_t index, bool again) {
  const auto [found, missing] = layers_.try_emplace({shape_.kinds.at(size_t(index)), again});
  if (missing) {
    const Learning learning(trainable_, shape_.vocabulary);
    found->second = measure_layer(*prepared_.policy.model, index, again);
  }
  return found->second;
}

double Planner::head_bytes(const BatchShape& batch, bool backward) const {
  const double rows = double(batch.rows), units = double(batch.units), width = double(shape_.width);
  if (prepared_.algorithm->needs().values > 0) return 8 * rows * width * (backward ? 1 : 0);
  const double tile = std::min(kTile, units * double(shape_.vocabulary));
  const double converted = sizes_.half ? 4 * units * width + 4 * kTile / 1024 * width : 0;
  const double wide = prepared_.algorithm->needs().uniform || prepared_.algorithm->needs().collision ? 8 * tile : 0;
  // Logits of a tile; backward besides: gradients of the scored rows, and of all rows that they were chosen from.
  return 4 * tile + converted + wide + (backward ? 4 * units * width + sizes_.element * rows * width : 0);
}

/// What of a phase is not the same in all.
struct Planner::Phase {
  std::string name;
  double gradients = 0, head = 0;
  std::vector<double> layers = {};  ///< activations of each
};

/// Keeps the phase with the most bytes.
struct Planner::Peak {
  double bytes = 0;
  Phase phase;

  void see(double now, Phase of) {
    if (now > bytes) bytes = now, phase = std::move(of);
  }
};

/// The way of one micro-batch through the model and back. `before`: what is there whatever passes; `later`: gradients of
/// an earlier micro-batch are there already.
void Planner::pass(const BatchShape& batch, int64_t recomputed, double before, bool later, Peak& peak) {
  const double rows = double(batch.rows), units = double(batch.units), width = double(shape_.width), element = sizes_.element;
  const double gradients = 4.0 * double(sizes_.trainable), table = double(shape_.vocabulary) * width * element;
  Phase phase{"head", later ? gradients : 0, head_bytes(batch, true) + (sizes_.head_trained ? table : 0)};
  for (int64_t i = 0; i < shape_.layers; ++i) phase.layers.push_back(std::max(0.0, layer(i, i < recomputed).kept.at(rows)));
  // Around the layers: the final norm, and the rows that are scored.
  const double ends = element * width * (2 * rows + 2 * units) + 48 * units;
  double live = before + phase.gradients + std::accumulate(phase.layers.begin(), phase.layers.end(), 0.0);
  peak.see(live + ends + phase.head, phase);

  phase.name = "backward", phase.head = 2 * element * rows * width;
  if (sizes_.head_trained) live += table, phase.gradients += later ? 0 : table;
  for (int64_t i = shape_.layers; i-- > 0;) {
    const LayerMemory& of = layer(i, i < recomputed);
    peak.see(live + phase.head + (later && !sizes_.half ? of.later : of.first).at(rows), phase);
    live -= phase.layers[size_t(i)];
    if (!sizes_.early && (!later || sizes_.half)) live += double(of.gradients), phase.gradients += double(of.gradients);
  }
  const auto of_words = [&](const Parameter& of) { return of.tensor.dim() > 1 && of.tensor.size(0) == shape_.vocabulary; };
  phase.name = "embedding";
  if (std::any_of(trainable_.begin(), trainable_.end(), of_words)) peak.see(live + table, phase);
  // In half precision gradients of a batch are added to wide ones when all are there.
  phase.name = "accumulation";
  if (sizes_.half && !sizes_.early) peak.see(live + (later ? 0 : gradients), phase);
}

Json Planner::memory(const Workload& work, int64_t recomputed) {
  const double weights = sizes_.weights, second = prepared_.second_model() ? weights : 0;
  const double optimizer = sizes_.half ? sizes_.learned() : sizes_.states;
  const double gradients = 4.0 * double(sizes_.early ? sizes_.largest : sizes_.trainable);
  // What is written beside training is a copy of the state.
  const Json& saves = prepared_.run.at("train").at("checkpoint");
  const bool copied = saves.value("every", int64_t(0)) > 0 && saves.value("background", true);
  const bool moves = second > 0 && prepared_.run.at("reference").value("sync_every", int64_t(0)) > 0;
  const double copy = copied ? sizes_.learned() + (moves ? second : 0) : 0;
  const double fixed = weights + second + optimizer + copy;
  Peak peak;
  peak.see(weights, {"load"});
  for (const BatchShape& batch : work.reference) {
    double most = 2 * sizes_.element * double(batch.rows + batch.units) * double(shape_.width) + head_bytes(batch, false);
    for (int64_t i = 0; i < shape_.layers; ++i) most = std::max(most, layer(i, false).forward.at(double(batch.rows)));
    peak.see(weights + second + sizes_.unpacked + most, {"reference"});
  }
  for (const auto& step : work.steps) {
    for (size_t i = 0; i < step.size(); ++i) pass(step[i], recomputed, fixed + sizes_.unpacked, i > 0, peak);
  }
  peak.see(fixed + gradients, {"update", gradients});

  const auto whole = [](double bytes) { return int64_t(bytes); };
  Json layers = Json::array();
  for (const double bytes : peak.phase.layers) layers.push_back(whole(bytes));
  const double activations = std::accumulate(peak.phase.layers.begin(), peak.phase.layers.end(), 0.0);
  return {{"weights", whole(weights)},
          {"second_model", whole(second)},
          {"optimizer", whole(optimizer)},
          {"checkpoint", whole(copy)},
          {"gradients", whole(peak.phase.gradients)},
          {"activations", whole(activations)},
          {"activations_by_layer", layers},
          {"head", whole(peak.phase.head)},
          {"caches", whole(work.cached)},
          {"base", base_},
          {"peak", whole(peak.bytes + work.cached) + base_},
          {"peak_in", peak.phase.name}};
}

Json Planner::work(const Workload& work) const {
  double rows = 0, units = 0, pairs = 0, batches = 0, largest = 0;
  for (const auto& step : work.steps) {
    rows += sum(step, &BatchShape::rows), units += sum(step, &BatchShape::units), pairs += sum(step, &BatchShape::pairs);
    batches += double(step.size());
    for (const BatchShape& batch : step) largest = std::max(largest, double(batch.rows));
  }
  const double looked = std::max<double>(1, double(work.steps.size()));
  // Two operations per weight forward, four backward; the head runs twice forward, on scored rows; attention: two products.
  const double flops = (6 * double(shape_.block_parameters) * rows + 8 * double(shape_.vocabulary * shape_.width) * units +
                        12 * double(shape_.attention_width * shape_.layers) * pairs) / looked;
  return {{"lengths", work.lengths},
          {"steps", work.total_steps},
          {"batches_per_step", batches / looked},
          {"rows_per_step", int64_t(rows / looked)},
          {"scored_rows_per_step", int64_t(units / looked)},
          {"rows_per_batch_at_most", int64_t(largest)},
          {"flops_per_step", flops},
          {"flops", flops * double(work.total_steps)}};
}

Json Planner::time(const Workload& work, int64_t recomputed, const Calibration& calibration) const {
  const auto batch_seconds = [&](const BatchShape& batch, bool trained) {
    double seconds = double(batch.units) * double(shape_.vocabulary) * (trained ? calibration.head_training : calibration.head_forward);
    if (prepared_.algorithm->needs().values > 0) seconds = 0;
    for (int64_t i = 0; i < shape_.layers; ++i) {
      const bool again = trained && i < recomputed;
      seconds += calibration.layers.at(Calibration::layer_key(shape_.kinds.at(size_t(i)), again)).of(double(batch.rows), batch.pairs, trained);
    }
    return seconds;
  };
  const bool reference = prepared_.metadata.value("reference", false);
  const bool live = reference && prepared_.run.value("reference", Json::object()).value("mode", "cached") == "live";
  const Needs needs = prepared_.algorithm->needs();
  double step = 0, cached = 0;
  for (const auto& batches : work.steps) {
    for (const BatchShape& batch : batches) {
      step += batch_seconds(batch, true);
      double passes = live ? 1 : 0;
      if (needs.whole_step && batches.size() > 1) ++passes;
      if (needs.mismatched) passes += live ? 2 : 1;
      step += passes * batch_seconds(batch, false);
    }
  }
  step = step / std::max<double>(1, double(work.steps.size())) + double(sizes_.trainable) * calibration.parameter;
  if (reference && !live) {
    for (const BatchShape& batch : work.reference) cached += batch_seconds(batch, false);
    cached *= work.reference_share * (needs.mismatched ? 2 : 1);
  }
  Json made = {{"step_s", step}, {"reference_s", cached}};
  return made;
}

Json Planner::plan(const Json& train, Calibrate calibrate) {
  const Workload work = workload_of(prepared_, train);
  const int64_t recomputed = recomputed_layers(train, shape_.layers);
  Json made = {{"name", prepared_.run.at("run").at("name")}, {"device", prepared_.run.at("run").value("device", "cpu")},
               {"layers", shape_.layers}, {"parameters", sizes_.all}, {"trainable_parameters", sizes_.trainable},
               {"memory", memory(work, recomputed)}, {"work", this->work(work)}};
  const auto element = int64_t(sizes_.element);
  const int64_t checkpoint = int64_t(sizes_.learned()), final = sizes_.all * element;
  const Json& kept = train.at("checkpoint");
  const int64_t every = kept.value("every", int64_t(0));
  const int64_t saves = every > 0 ? (work.total_steps + every - 1) / every : 1;
  const int64_t apart = kept.value("keep_every", int64_t(0));
  const int64_t stay = kept.value("keep", int64_t(2)) + kept.value("keep_best", int64_t(0)) + (apart > 0 ? work.total_steps / apart : 0);
  made["disk"] = {{"checkpoint", checkpoint}, {"final", final},
                  {"total", checkpoint * (std::min(saves, stay) + (saves > 1 ? 1 : 0)) + final}};
  if (prepared_.policy.options.quantize) return made;  // Layers are timed on weights that are not packed.
  const Learning learning(trainable_, shape_.vocabulary);
  const Json about = {prepared_.policy.config, prepared_.policy.options.dtype, prepared_.run.value("adapter", Json()),
                      prepared_.run.at("model").value("freeze", Json())};
  const auto calibration = calibration_of(*prepared_.policy.model, about, prepared_.run.at("optimizer"), sizes_.head_trained, calibrate, host_);
  if (!calibration || prepared_.policy.device != at::kCPU) return made;
  made["time"] = time(work, recomputed, *calibration);
  Json& time = made["time"];
  // Weights are mapped and copied, the state of the optimizer is made, and the first step looks at every parameter twice.
  const double start = process_age() + calibration->touched * double(4 * final + 16 * sizes_.trainable);
  const double saving = calibration->stored * double(saves * checkpoint + final);
  time["start_s"] = start, time["saving_s"] = saving;
  time["total_s"] = start + time["step_s"].get<double>() * double(work.total_steps) + time["reference_s"].get<double>() + saving;
  return made;
}

}  // namespace attune
