// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/plan.h"

#include <ATen/ATen.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <sstream>

namespace attune {
namespace {

/// Elements of a tile of logits (nn/head_tiles.h).
constexpr double kTile = double(int64_t{4} << 20);

/// What this process holds, once it has given back what it can.
int64_t resident() {
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
  for (const Parameter& parameter : prepared.policy.parameters) sizes_.all += parameter.tensor.numel();
  for (const Parameter& parameter : trainable_) {
    sizes_.trainable += parameter.tensor.numel();
    sizes_.largest = std::max(sizes_.largest, parameter.tensor.numel());
    sizes_.head_trained |= parameter.tensor.is_same(head.weight_VD);
  }
  for (int64_t i = 0; i < shape_.layers; ++i) layer(i, false);
  base_ = resident();
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

Json Planner::memory(const Workload& work, int64_t recomputed) {
  const double width = double(shape_.width), element = sizes_.element;
  const double weights = double(sizes_.all) * element;
  const double second = prepared_.second_model() ? weights : 0;
  const double masters = sizes_.half ? 4.0 * double(sizes_.trainable) : 0;
  const double optimizer = 8.0 * double(sizes_.trainable) + masters;
  const double gradients = 4.0 * double(sizes_.trainable);
  const double fixed = weights + second + optimizer;
  const double head_gradient = sizes_.head_trained ? double(shape_.vocabulary) * width * element : 0;

  double peak = 0;
  Json found = Json::object();
  const auto phase = [&](const char* name, double bytes, const Json& parts) {
    if (bytes <= peak) return;
    peak = bytes, found = parts, found["peak_in"] = name;
  };
  const auto no_parts = Json{{"activations", 0}, {"activations_by_layer", Json::array()}, {"head", 0}, {"gradients", 0}};
  const auto forward_peak = [&](const BatchShape& batch) {
    double most = 0;
    for (int64_t i = 0; i < shape_.layers; ++i) most = std::max(most, layer(i, false).forward.at(double(batch.rows)));
    return std::max(most, 2 * element * double(batch.rows + batch.units) * width + head_bytes(batch, false));
  };
  phase("load", weights, no_parts);
  for (const BatchShape& batch : work.reference) phase("reference", weights + second + forward_peak(batch), no_parts);
  if (prepared_.metadata.value("reference", false) && work.reference.empty()) phase("reference", weights + second, no_parts);

  const auto backward = [&](const BatchShape& batch, bool later) {
    const double rows = double(batch.rows), units = double(batch.units);
    std::vector<double> kept;
    for (int64_t i = 0; i < shape_.layers; ++i) kept.push_back(std::max(0.0, layer(i, i < recomputed).kept.at(rows)));
    const double layers = std::accumulate(kept.begin(), kept.end(), 0.0);
    const double ends = element * width * (2 * rows + 2 * units) + 48 * units;  // Around the layers: final norm, rows that are scored.
    const double accumulated = later ? gradients : 0;
    double live = fixed + accumulated + layers + ends, head = head_bytes(batch, true) + head_gradient;
    const auto parts = [&](double now) {
      return Json{{"activations", layers}, {"activations_by_layer", kept}, {"head", head + ends}, {"gradients", now}};
    };
    phase("head", live + head, parts(accumulated));
    live += head_gradient - ends + 2 * element * rows * width;
    double made = later ? 0 : sizes_.head_trained ? head_gradient : 0;
    for (int64_t i = shape_.layers; i-- > 0;) {
      const LayerMemory& of = layer(i, i < recomputed);
      phase("backward", live + (later && !sizes_.half ? of.later : of.first).at(rows), parts(accumulated + made));
      live -= kept[size_t(i)];
      if (!later || sizes_.half) live += double(of.gradients), made += double(of.gradients);
    }
    const bool table = std::any_of(trainable_.begin(), trainable_.end(), [&](const Parameter& of) { return of.tensor.dim() > 1 && of.tensor.size(0) == shape_.vocabulary; });
    if (table) phase("embedding", live + double(shape_.vocabulary) * width * element, parts(accumulated + made));
    // In half precision gradients of a batch are added to wide ones when all are there.
    if (sizes_.half) phase("accumulation", live + (later ? 0 : gradients), parts(gradients));
  };
  for (const auto& step : work.steps) {
    for (size_t i = 0; i < step.size(); ++i) backward(step[i], i > 0);
  }
  phase("update", fixed + gradients + 8.0 * double(sizes_.largest), [&] { Json parts = no_parts; return parts["gradients"] = gradients, parts; }());

  found.update({{"weights", weights}, {"second_model", second}, {"optimizer", optimizer}, {"caches", work.cached}, {"base", base_},
                {"peak", peak + work.cached + double(base_)}});
  for (auto& [name, bytes] : found.items()) {
    if (bytes.is_number()) bytes = int64_t(bytes.get<double>());
    if (bytes.is_array()) for (Json& of : bytes) of = int64_t(of.get<double>());
  }
  return found;
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
  const int64_t checkpoint = 12 * sizes_.trainable, final = sizes_.all * element;
  const Json& kept = train.at("checkpoint");
  const int64_t every = kept.value("every", int64_t(0));
  const int64_t saves = every > 0 ? (work.total_steps + every - 1) / every : 1;
  made["disk"] = {{"checkpoint", checkpoint}, {"final", final},
                  {"total", checkpoint * (std::min(saves, kept.value("keep", int64_t(2))) + (saves > 1 ? 1 : 0)) + final}};
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
