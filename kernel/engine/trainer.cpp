// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>

#include "kernel/engine/device.h"
#include "kernel/engine/export.h"
#include "kernel/engine/plan.h"
#include "kernel/engine/random.h"
#include "kernel/engine/step_audit.h"
#include "kernel/engine/step_loss.h"
#include "kernel/host/exit.h"

namespace attune {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Identifies the weights that a model starts from.
std::string weights_digest(const Json& run, LoadedModel& model, bool from_checkpoint) {
  const bool random = !from_checkpoint && run.at("model").value("init", "") == "random";
  return random ? model.config.dump() + run.at("run").at("seed").dump() : model.checkpoint->digest();
}

/// What identifies a run for its checkpoints: everything that changes its numbers.
std::string digest_of(const Json& run, const std::string& data, LoadedModel& policy) {
  Json relevant = Json::object();
  for (const char* table : {"model", "reference", "algorithm", "optimizer", "schedule", "train", "adapter"}) {
    if (run.contains(table)) relevant[table] = run.at(table);
  }
  relevant["model"].erase("path"), relevant["model"].erase("tokenizer");
  if (relevant.contains("reference")) relevant["reference"].erase("cache");
  for (const char* key : {"checkpoint", "evaluate", "log"}) relevant["train"].erase(key);
  relevant["seed"] = run.at("run").at("seed");
  return sha256_of(relevant.dump() + data + weights_digest(run, policy, false));
}

/// The samples of a step that were not dropped.
std::vector<int64_t> kept_of(TrainingData& data, std::span<const int64_t> indices) {
  std::vector<int64_t> kept;
  std::ranges::copy_if(indices, std::back_inserter(kept), [&](int64_t index) { return data.at(index) != nullptr; });
  return kept;
}

/// Each prompt of a step with the answer of the sample before, the first with that of the last.
std::vector<int64_t> mismatched(const TrainingData& data, std::span<const int64_t> kept) {
  if (kept.size() == 1) throw ExitError(Exit::kData, "a step has a single sample, and this algorithm compares prompts with other samples' answers; raise samples_per_step");
  std::vector<int64_t> indices;
  for (size_t k = 0; k < kept.size(); ++k) indices.push_back(data.mismatched(kept[k], kept[(k + kept.size() - 1) % kept.size()]));
  return indices;
}

/// NEFTune (Jain et al., 2024, eq. 1): uniform noise of size alpha / sqrt(rows x width) on the embeddings of each sample.
at::Tensor embedding_noise(double alpha, uint64_t seed, int64_t step, std::span<const int64_t> indices,
                           std::span<const Encoded* const> samples, int64_t width) {
  std::vector<at::Tensor> parts;
  for (size_t s = 0; s < samples.size(); ++s) {
    const auto rows = int64_t(samples[s]->ids.size());
    RandomStream stream(seed, "neftune/" + std::to_string(step), uint64_t(indices[s]));
    const double size = alpha / std::sqrt(double(rows * width));
    const at::Tensor part = at::empty({rows, width});
    float* data = part.data_ptr<float>();
    for (int64_t i = 0; i < part.numel(); ++i) data[i] = float(size * (2 * stream.uniform() - 1));
    parts.push_back(part);
  }
  return at::cat(parts);
}

/// Updates in the backward pass take a step of one micro-batch.
void require_single_batches(TrainingData& data, const StepPlan& plan, int64_t budget) {
  for (int64_t step = 1; step <= plan.steps(); ++step) {
    const std::vector<int64_t> kept = kept_of(data, plan.samples(step));
    int64_t rows = 0;
    for (const int64_t index : kept) rows += int64_t(data.at(index)->ids.size());
    if (rows <= budget || kept.size() < 2) continue;
    throw ExitError(Exit::kUsage, "optimizer.in_backward needs steps of one batch; step " + std::to_string(step) + " has " + std::to_string(rows) +
                                      " tokens, train.tokens_per_batch is " + std::to_string(budget) + "; raise it, or make steps smaller");
  }
}

std::vector<int64_t> all_of(const TrainingData& data) {
  std::vector<int64_t> indices(size_t(data.size()));
  std::iota(indices.begin(), indices.end(), int64_t(0));
  return indices;
}

}  // namespace

struct Trainer::StepTotals : StepLoss {
  int64_t rows = 0, units = 0;

  Json means() const {
    Json row = {{"loss", count > 0 ? numerator / count : 0.0}};
    for (const auto& [name, total] : metrics) row[name] = total.second > 0 ? total.first / total.second : 0.0;
    return row;
  }
};

Trainer::Trainer(std::unique_ptr<PreparedRun> prepared, const std::string& folder, HostServices& host)
    : prepared_(std::move(prepared)),
      run_(prepared_->run),
      folder_(folder),
      host_(host),
      policy_(prepared_->policy),
      algorithm_(prepared_->algorithm) {
  const Json &run = run_, &train = run.at("train");
  if (!prepared_->train) throw ExitError(Exit::kData, prepared_->missing + ": there is no such file");
  needs_reference_ = prepared_->metadata.value("reference", false);
  host.log(ATTUNE_LOG_INFO, run.at("algorithm").at("use").get<std::string>() + ": " + algorithm_->formula());
  planned_ = Planner(*prepared_, host).plan(train, Calibrate::kNever);
  host.planned(planned_);

  fill_model(policy_, host);
  if (run.contains("adapter")) {
    const Json& adapter = run.at("adapter");
    adapter_options_ = AdapterOptions::from(adapter, run.at("run").at("seed"));
    const std::string from = adapter.value("path", "");
    adapters_ = from.empty() ? attach_adapters(policy_, adapter_options_) : read_adapters(policy_, from, adapter_options_, host);
  }
  train_.data = std::move(prepared_->train), eval_.data = std::move(prepared_->eval);
  plan_ = std::move(prepared_->steps);
  schedule_ = std::make_unique<Schedule>(run.value("schedule", Json::object()), run.at("optimizer").at("learning_rate"), plan_->steps());
  checkpoints_ = std::make_unique<CheckpointStore>(folder + "/checkpoints", digest_of(run, train_.data->digest(), policy_), host);
}

void Trainer::prepare_reference() {
  if (!needs_reference_) return;
  const Json& reference = run_.at("reference");
  const std::string path = reference.value("path", "");
  const auto load = [&] {
    LoadOptions options = load_options(run_);
    if (!path.empty()) options.path = path;
    return std::make_unique<LoadedModel>(load_model(options, host_));
  };
  sync_every_ = reference.value("sync_every", int64_t(0));
  if (sync_every_ > 0 && reference.value("mode", "cached") == "cached") {
    throw ExitError(Exit::kUsage, "reference.sync_every moves a live reference: set reference.mode = \"live\"");
  }
  const bool whole = algorithm_->needs().divergence.kind != DivergenceKind::kNone;
  top_k_ = whole ? reference.value("top_k", int64_t(0)) : 0;
  if (whole && (reference.value("mode", "cached") == "cached") != (top_k_ > 0)) {
    throw ExitError(Exit::kUsage, "this algorithm compares whole distributions: set reference.mode = \"live\", or keep it \"cached\" and say how "
                                  "many of the teacher's likeliest tokens to store: reference.top_k = 64");
  }
  if (sync_every_ > 0 && !adapters_.empty()) {
    throw ExitError(Exit::kUsage, "reference.sync_every moves a model towards another, which adapters do not have; take out [adapter] or sync_every");
  }
  if (reference.value("mode", "cached") == "live") {
    if (adapters_.empty() || whole || !path.empty()) live_reference_ = load();
    return;
  }
  const std::unique_ptr<LoadedModel> other = path.empty() ? nullptr : load();
  LoadedModel& model = other ? *other : policy_;
  if (top_k_ > 0 && model.model->shape().vocabulary != policy_.model->shape().vocabulary) {
    throw ExitError(Exit::kUsage, "the teacher's vocabulary has " + std::to_string(model.model->shape().vocabulary) + " tokens, the model's " +
                                      std::to_string(policy_.model->shape().vocabulary) + "; distillation needs one vocabulary");
  }
  const std::string weights = weights_digest(run_, model, other != nullptr);
  const Json& stored = run_.at("model");
  const std::string packing = stored.contains("quantize") ? stored["quantize"].dump() + stored.at("double_quant").dump() : "";
  for (Split* split : {&train_, &eval_}) {
    if (!split->data) continue;
    const std::string key = sha256_of(weights + split->data->digest() + run_.at("model").at("dtype").dump() + packing +
                                      run_.at("run").at("device").dump() + run_.at("model").value("options", Json::object()).dump() +
                                      (top_k_ > 0 ? "top " + std::to_string(top_k_) + " " + std::to_string(algorithm_->needs().divergence.temperature) : ""));
    std::vector<int64_t> indices = split == &train_ ? plan_->used() : all_of(*split->data);
    if (algorithm_->needs().mismatched) {
      const auto extend = [&](const std::vector<int64_t>& step) {
        const auto more = mismatched(*split->data, kept_of(*split->data, step));
        indices.insert(indices.end(), more.begin(), more.end());
      };
      if (split == &eval_) extend(indices);
      for (int64_t step = 1; split == &train_ && step <= plan_->steps(); ++step) extend(plan_->samples(step));
    }
    split->reference = std::make_unique<ReferenceScores>(reference.at("cache"), key, host_);
    const double temperature = algorithm_->needs().divergence.temperature;
    const auto score = [&](std::span<const Encoded* const> part) { return top_k_ > 0 ? top_units(part, model, top_k_, temperature) : score_units(part, model); };
    const WithoutAdapters as_it_was(policy_);
    split->reference->complete(indices, *split->data, score, run_.at("train").at("tokens_per_batch"));
  }
}

at::Tensor Trainer::reference_units(Split& split, std::span<const int64_t> indices, std::span<const Encoded* const> samples) {
  if (split.reference) return split.reference->of(indices);
  std::vector<float> all;
  const WithoutAdapters as_it_was(policy_);
  for (const std::vector<float>& scores : score_units(samples, live_reference_ ? *live_reference_ : policy_)) all.insert(all.end(), scores.begin(), scores.end());
  return at::tensor(all, at::kFloat);
}

void Trainer::add_mismatched(Split& split, std::span<const int64_t> kept, const std::vector<std::vector<size_t>>& bins,
                             std::span<MicroBatch> micros) {
  const std::vector<int64_t> indices = mismatched(*split.data, kept);
  std::vector<std::shared_ptr<const Encoded>> held;
  std::vector<const Encoded*> samples;
  for (const int64_t index : indices) samples.push_back(held.emplace_back(split.data->at(index)).get());
  if (std::ranges::find(samples, nullptr) != samples.end()) throw ExitError(Exit::kData, "a prompt does not take another sample's answer");
  const at::Tensor policy = at::zeros({int64_t(indices.size())}), reference = at::zeros_like(policy);
  for (const std::vector<size_t>& bin : split_by_rows(samples, run_.at("train").at("tokens_per_batch"))) {
    std::vector<const Encoded*> part;
    std::vector<int64_t> part_indices;
    for (const size_t i : bin) part.push_back(samples[i]), part_indices.push_back(indices[i]);
    const auto scores = score_units(part, policy_);
    const at::Tensor under_reference = reference_units(split, part_indices, part);
    int64_t first = 0;
    for (size_t k = 0; k < bin.size(); ++k) {
      const auto units = int64_t(scores[k].size());
      policy[int64_t(bin[k])].fill_(std::accumulate(scores[k].begin(), scores[k].end(), 0.0));
      reference[int64_t(bin[k])].copy_(under_reference.slice(0, first, first + units).sum());
      first += units;
    }
  }
  for (size_t m = 0; m < micros.size(); ++m) {
    const at::Tensor which = at::tensor(std::vector<int64_t>(bins[m].begin(), bins[m].end()), at::kLong);
    micros[m].scores.mismatched_S = policy.index_select(0, which).to(policy_.device);
    micros[m].scores.mismatched_reference_S = reference.index_select(0, which).to(policy_.device);
  }
}

Trainer::StepTotals Trainer::pass(const std::vector<int64_t>& indices, Split& split, bool learn) {
  std::vector<std::shared_ptr<const Encoded>> held;
  std::vector<const Encoded*> samples;
  const std::vector<int64_t> kept = kept_of(*split.data, indices);
  for (const int64_t index : kept) samples.push_back(held.emplace_back(split.data->at(index)).get());
  const auto bins = split_by_rows(samples, run_.at("train").at("tokens_per_batch"));
  StepTotals totals;
  std::vector<MicroBatch> micros;
  for (const std::vector<size_t>& bin : bins) {
    std::vector<const Encoded*> part;
    std::vector<int64_t> part_indices;
    for (const size_t i : bin) part.push_back(samples[i]), part_indices.push_back(kept[i]);
    MicroBatch& micro = micros.emplace_back(pack(part, policy_.model->shape().position_axes, policy_.device));
    if (learn) micro.batch.recompute = recomputed_layers(run_.at("train"), policy_.model->shape().layers);
    if (top_k_ > 0) {
      const at::Tensor stored = split.reference->of(part_indices).view({micro.row_U.size(0), -1}).to(policy_.device);
      const int64_t k = stored.size(1) / 2;
      micro.teacher_ids_UK = stored.narrow(1, 0, k).to(at::kLong);
      micro.teacher_UK = stored.narrow(1, k, k);
    }
    if (needs_reference_ && algorithm_->needs().divergence.kind == DivergenceKind::kNone) micro.scores.reference_U = reference_units(split, part_indices, part).to(policy_.device);
    if (const double alpha = run_.at("train").value("neftune_alpha", 0.0); learn && alpha > 0) {
      const uint64_t seed = run_.at("run").at("seed");
      micro.batch.noise_ND = embedding_noise(alpha, seed, step_, part_indices, part, policy_.model->shape().width).to(policy_.device);
    }
    totals.rows += micro.rows;
    totals.units += micro.row_U.size(0);
  }
  if (algorithm_->needs().mismatched) add_mismatched(split, kept, bins, micros);
  static_cast<StepLoss&>(totals) = step_loss(*algorithm_, {*policy_.model, policy_.value, live_reference_ ? live_reference_->model : nullptr}, micros, learn, [&] { optimizer_->accumulate(); },
                                                  [&](double count) { optimizer_->begin(schedule_->at(step_), count); });
  return totals;
}

Json Trainer::train_step(int64_t step) {
  const auto started = Clock::now();
  step_ = step;
  std::unique_ptr<StepAudit> audit;
  if (step == 1) audit = std::make_unique<StepAudit>(policy_.parameters, *optimizer_);
  const StepTotals totals = pass(plan_->samples(step), train_, true);
  if (totals.count == 0) throw ExitError(Exit::kData, "step " + std::to_string(step) + " has nothing to learn from: every row was dropped");
  if (!std::isfinite(totals.numerator)) {
    throw Error("step " + std::to_string(step) + ": the loss is " + std::to_string(totals.numerator) +
                "; lower optimizer.learning_rate or look at the rows of this step; the last checkpoint is whole");
  }
  const double learning_rate = schedule_->at(step);
  const Optimizer::Result update = optimizer_->step(learning_rate, totals.count, run_.at("train").at("clip"));
  if (!update.finite) {
    throw Error("step " + std::to_string(step) + ": the gradient is not finite; lower " +
                "optimizer.learning_rate or look at the rows of this step; the last checkpoint is whole");
  }
  if (audit) audit->verify();
  move_reference(step);
  tokens_ += double(totals.rows);

  const double seconds = seconds_since(started);
  Json row = totals.means();
  row["learning_rate"] = learning_rate;
  row["gradient_norm"] = update.gradient_norm;
  row["tokens"] = totals.rows;
  row["scored_tokens"] = totals.units;
  row["tokens_per_s"] = double(totals.rows) / seconds;
  row["seconds"] = seconds;
  row["memory_mb"] = double(peak_memory()) / 1e6;
  return row;
}

Json Trainer::evaluate() {
  Json row = Json::object();
  const Json means = pass(all_of(*eval_.data), eval_, false).means();
  for (const auto& [name, value] : means.items()) row["eval/" + name] = value;
  return row;
}

void Trainer::move_reference(int64_t step) {
  if (sync_every_ == 0 || step % sync_every_ != 0) return;
  const at::NoGradGuard no_grad;
  const double share = run_.at("reference").at("sync_mixup");
  for (size_t i = 0; i < policy_.parameters.size(); ++i) {
    at::Tensor reference = live_reference_->parameters[i].tensor;
    reference.lerp_(policy_.parameters[i].tensor.to(reference.scalar_type()), share);
  }
}

NamedTensors Trainer::state() {
  NamedTensors all = optimizer_->state();
  if (sync_every_ > 0) {
    for (const Parameter& parameter : live_reference_->parameters) all.emplace_back("reference/" + parameter.name, parameter.tensor);
  }
  for (auto& [name, tensor] : algorithm_->state()) all.emplace_back("algorithm/" + name, tensor);
  return all;
}

void Trainer::save(int64_t step) {
  checkpoints_->save(step, state(), {{"tokens", tokens_}}, run_.at("train").at("checkpoint").value("keep", int64_t(2)));
}

std::vector<Parameter> Trainer::choose_trainable() {
  std::vector<Parameter> trainable = adapters_;
  const auto frozen = run_.at("model").value("freeze", std::vector<std::string>());
  for (Parameter& parameter : policy_.parameters) {
    if (std::any_of(frozen.begin(), frozen.end(), [&](const std::string& glob) { return matches(glob, parameter.name); })) continue;
    // A value head is new: beside adapters it is trained whole.
    if (adapters_.empty() || parameter.name.starts_with("score.")) trainable.push_back(parameter);
  }
  if (trainable.empty()) throw Error("model.freeze leaves nothing to train");
  for (Parameter& parameter : trainable) parameter.tensor.set_requires_grad(true);
  return trainable;
}

void Trainer::write_final(const std::vector<Parameter>& trainable) {
  if (!adapters_.empty()) {
    const std::vector<Parameter> whole(trainable.begin() + std::ptrdiff_t(adapters_.size()), trainable.end());
    const bool merge = run_.at("adapter").value("merge", true);
    const std::string folder = folder_ + (merge ? "/adapter" : "/final");
    write_adapters(folder, run_.at("model").at("path"), adapters_, whole, policy_, adapter_options_, host_);
    if (!merge) return;
    merge_adapters(policy_);
  }
  write_huggingface(folder_ + "/final", policy_, host_);
}

Json Trainer::run() {
  const auto started = Clock::now();
  prepare_reference();
  const double reference_seconds = seconds_since(started);

  const std::vector<Parameter> trainable = choose_trainable();
  optimizer_ = std::make_unique<Optimizer>(trainable, run_.at("optimizer"));
  if (optimizer_->in_backward()) require_single_batches(*train_.data, *plan_, run_.at("train").at("tokens_per_batch"));

  int64_t step = 0;
  if (const auto found = checkpoints_->newest()) {
    checkpoints_->load(*found, state());
    optimizer_->restored();
    step = found->step;
    tokens_ = found->extra.value("tokens", 0.0);
    host_.log(ATTUNE_LOG_INFO, "resuming from " + found->path);
  }
  host_.rewind_metrics(step);
  const int64_t steps = plan_->steps(), every = run_.at("train").at("checkpoint").value("every", int64_t(0));
  const int64_t evaluate_every = run_.at("train").at("evaluate").value("every", int64_t(0));
  const auto training = Clock::now();
  double learned = 0;
  Json last = Json::object();
  while (step < steps) {
    last = train_step(++step);
    learned += last.at("tokens").get<double>();
    if (eval_.data && (step % evaluate_every == 0 || step == steps)) last.update(evaluate());
    host_.metrics(step, last);
    host_.progress("train", step, steps);
    if (step == steps || (every > 0 && step % every == 0)) save(step);
  }
  const double seconds = seconds_since(training);
  write_final(trainable);
  return {{"steps", steps},
          {"epochs", plan_->epochs()},
          {"formula", algorithm_->formula()},
          {"loss", last.value("loss", Json())},
          {"tokens", tokens_},
          {"tokens_per_s", learned > 0 ? Json(learned / seconds) : Json()},
          {"reference_seconds", reference_seconds},
          {"train_seconds", seconds},
          {"dropped_rows", train_.data->dropped()},
          {"peak_memory_bytes", peak_memory()},
          {"planned_memory_bytes", planned_.at("memory").at("peak")},
          {"planned_seconds", planned_.contains("time") ? planned_["time"].at("total_s") : Json()},
          {"planned_step_seconds", planned_.contains("time") ? planned_["time"].at("step_s") : Json()},
          {"final", folder_ + "/final"}};
}

}  // namespace attune
