// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
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
    const std::vector<int64_t> kept = data.kept(plan.samples(step));
    int64_t rows = 0;
    for (const int64_t index : kept) rows += int64_t(data.at(index)->ids.size());
    if (rows <= budget || kept.size() < 2) continue;
    throw ExitError(Exit::kUsage, "optimizer.in_backward needs steps of one batch; step " + std::to_string(step) + " has " + std::to_string(rows) +
                                      " tokens, train.tokens_per_batch is " + std::to_string(budget) + "; raise it, or make steps smaller");
  }
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
}

void Trainer::prepare_reference() {
  if (!needs_reference_) return;
  reference_ = std::make_unique<Reference>(run_, algorithm_->needs(), policy_, !adapters_.empty(), host_);
  if (!reference_->cached()) return;
  const bool paired = algorithm_->needs().mismatched;
  const auto with_mismatched = [&](Split& split, const std::vector<int64_t>& step, std::vector<int64_t>& indices) {
    const auto more = split.data->mismatched(split.data->kept(step));
    indices.insert(indices.end(), more.begin(), more.end());
  };
  const std::string plan = prepared_->digest;
  std::vector<Reference::Work> work = {{train_, plan, [&] {
    std::vector<int64_t> indices = plan_->used();
    for (int64_t step = 1; paired && step <= plan_->steps(); ++step) with_mismatched(train_, plan_->samples(step), indices);
    return indices;
  }}};
  if (eval_.data) {
    work.push_back({eval_, plan.empty() ? "" : plan + " eval", [&] {
      std::vector<int64_t> indices = eval_.data->all();
      if (paired) with_mismatched(eval_, eval_.data->all(), indices);
      return indices;
    }});
  }
  reference_->complete(work);
}

void Trainer::add_mismatched(Split& split, std::span<const int64_t> kept, const std::vector<std::vector<size_t>>& bins,
                             std::span<MicroBatch> micros) {
  const std::vector<int64_t> indices = split.data->mismatched(kept);
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
    const at::Tensor under_reference = reference_->units(split, part_indices, part);
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
  const std::vector<int64_t> kept = split.data->kept(indices);
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
    if (reference_ && reference_->top_k() > 0) {
      const at::Tensor stored = split.stored->of(part_indices).view({micro.row_U.size(0), -1}).to(policy_.device);
      const int64_t k = stored.size(1) / 2;
      micro.teacher_ids_UK = stored.narrow(1, 0, k).to(at::kLong);
      micro.teacher_UK = stored.narrow(1, k, k);
    }
    if (reference_ && algorithm_->needs().divergence.kind == DivergenceKind::kNone) micro.scores.reference_U = reference_->units(split, part_indices, part).to(policy_.device);
    if (const double alpha = run_.at("train").value("neftune_alpha", 0.0); learn && alpha > 0) {
      const uint64_t seed = run_.at("run").at("seed");
      micro.batch.noise_ND = embedding_noise(alpha, seed, at_.step, part_indices, part, policy_.model->shape().width).to(policy_.device);
    }
    totals.rows += micro.rows;
    totals.units += micro.row_U.size(0);
  }
  if (algorithm_->needs().mismatched) add_mismatched(split, kept, bins, micros);
  const TrainedPolicy policy{*policy_.model, policy_.value, reference_ ? reference_->live() : nullptr};
  static_cast<StepLoss&>(totals) = step_loss(
      *algorithm_, policy, micros, learn, [&] { optimizer_->accumulate(); },
      [&](double count) { optimizer_->begin(schedule_->at(at_.step), count); });
  return totals;
}

Json Trainer::train_step() {
  const auto started = Clock::now();
  const int64_t step = ++at_.step;
  NamedTensors remembered;
  for (const auto& [name, tensor] : algorithm_->state()) remembered.emplace_back(name, tensor.clone());
  std::unique_ptr<StepAudit> audit;
  if (at_.updates == 0) audit = std::make_unique<StepAudit>(policy_.parameters, *optimizer_);
  const StepTotals totals = pass(plan_->samples(step), train_, true);
  if (totals.count == 0) throw ExitError(Exit::kData, "step " + std::to_string(step) + " has nothing to learn from: every row was dropped");
  const bool finite = std::isfinite(totals.numerator);
  const double learning_rate = schedule_->at(step);
  Optimizer::Result update{NAN, false};
  if (finite) update = optimizer_->step(learning_rate, totals.count, run_.at("train").at("clip"));
  if (update.finite) {
    if (audit) audit->verify();
    ++at_.updates;
    at_.skipped_in_a_row = 0;
    if (reference_) reference_->move(step);
  } else {
    skip(finite ? "the gradient is not finite" : "the loss is " + std::to_string(totals.numerator), remembered);
  }
  at_.tokens += double(totals.rows);
  at_.hash.add(totals.numerator);
  at_.hash.add(update.gradient_norm);
  at_.hash.add(algorithm_->state());
  at_.hash.add_sample(optimizer_->masters(), step);

  const double seconds = seconds_since(started);
  Json row = totals.means();
  row["learning_rate"] = learning_rate;
  row["gradient_norm"] = update.gradient_norm;
  row["tokens"] = totals.rows;
  row["scored_tokens"] = totals.units;
  if (at_.skipped > 0) row["skipped_steps"] = at_.skipped;
  row["state_hash"] = at_.hash.hex();
  row["tokens_per_s"] = double(totals.rows) / seconds;
  row["seconds"] = seconds;
  row["memory_mb"] = double(peak_memory()) / 1e6;
  if (!policy_.device.is_cpu()) row["device_memory_mb"] = double(peak_device_memory(policy_.device)) / 1e6;
  return row;
}

/// Leaves everything as it was before the step, or ends the run, as train.nonfinite says.
void Trainer::skip(const std::string& what, const NamedTensors& remembered) {
  const Json& train = run_.at("train");
  const std::string step = "step " + std::to_string(at_.step) + ": " + what;
  if (train.value("nonfinite", "stop") == "stop") {
    if (optimizer_->in_backward()) throw Error(step + "; lower optimizer.learning_rate, or look at the rows of this step; the last checkpoint is whole");
    throw Error(step + ", the weights are unchanged; lower optimizer.learning_rate, look at the rows of this step, or go on "
                "without such steps: train.nonfinite = \"skip\"");
  }
  const int64_t limit = train.value("nonfinite_limit", int64_t(10));
  if (++at_.skipped_in_a_row > limit) {
    throw Error(step + ", as in the " + std::to_string(limit) + " steps before, the most that train.nonfinite_limit lets pass; lower "
                "optimizer.learning_rate, or go back to an older checkpoint");
  }
  ++at_.skipped;
  optimizer_->discard();
  const at::NoGradGuard no_grad;
  const NamedTensors now = algorithm_->state();
  for (size_t i = 0; i < remembered.size(); ++i) at::Tensor(now.at(i).second).copy_(remembered[i].second);
  host_.log(ATTUNE_LOG_WARN, step + "; skipped");
}

Json Trainer::evaluate() {
  Json row = Json::object();
  const Json means = pass(eval_.data->all(), eval_, false).means();
  for (const auto& [name, value] : means.items()) row["eval/" + name] = value;
  return row;
}

StateTree Trainer::state() {
  StateTree tree;
  tree.add("optimizer", optimizer_->state());
  tree.add("algorithm", algorithm_->state());
  if (reference_) tree.add("reference", reference_->state());
  tree.add("step", at_.step);  // The cursor of data, schedule, random streams and metrics.
  tree.add("updates", at_.updates);
  tree.add("tokens", at_.tokens);
  tree.add("skipped", at_.skipped);
  tree.add("skipped_in_a_row", at_.skipped_in_a_row);
  tree.add("hash", [this] { return Json(at_.hash.hex()); }, [this](const Json& saved) { at_.hash.restore(saved); });
  for (Split* split : {&train_, &eval_}) {
    if (!split->data) continue;
    tree.add(split == &train_ ? "dropped" : "dropped_eval", [split] { return split->data->dropped_samples(); },
             [split](const Json& saved) { split->data->restore_dropped(saved); });
  }
  return tree;
}

void Trainer::resume() {
  if (const auto found = checkpoints_->newest()) {
    checkpoints_->load(*found, state());
    optimizer_->restored();
    last_ = found->metrics;
    host_.log(ATTUNE_LOG_INFO, "resuming from " + found->path);
  }
  host_.rewind_metrics(at_.step);
}

/// The last step, and one after which the run ends, are written at once: nothing changes meanwhile.
void Trainer::save(bool at_once) {
  host_.sync_metrics();
  const bool background = !at_once && run_.at("train").at("checkpoint").value("background", true);
  checkpoints_->save(at_.step, state(), last_, background ? CheckpointStore::When::kInBackground : CheckpointStore::When::kNow);
}

/// A misspelt metric must not be found out when the best checkpoint is gone.
void Trainer::require_best() const {
  const Retention kept = Retention::from(run_.at("train").at("checkpoint"));
  std::string known;
  bool evaluated = false;
  for (const auto& [name, value] : last_.items()) {
    known += (known.empty() ? "" : ", ") + name;
    evaluated |= name.starts_with("eval/");
  }
  if (kept.keep_best == 0 || last_.contains(kept.best) || (kept.best.starts_with("eval/") && !evaluated)) return;
  throw ExitError(Exit::kUsage, "train.checkpoint.best: there is no metric \"" + kept.best + "\"; there are " + known);
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

Json Trainer::references() {
  prepare_reference();
  Json made = Json::array();
  for (const Split* split : {&train_, &eval_}) {
    if (!split->stored) continue;
    const StoredScores& stored = split->stored->stored();
    made.push_back({{"data", split == &train_ ? "train" : "eval"}, {"folder", stored.folder().string()}});
  }
  return made;
}

Json Trainer::run() {
  checkpoints_ = std::make_unique<CheckpointStore>(folder_ + "/checkpoints", prepared_->digest, run_.at("train").at("checkpoint"), host_);
  const auto started = Clock::now();
  prepare_reference();
  const double reference_seconds = seconds_since(started);

  const std::vector<Parameter> trainable = choose_trainable();
  optimizer_ = std::make_unique<Optimizer>(trainable, run_.at("optimizer"));
  if (optimizer_->in_backward()) require_single_batches(*train_.data, *plan_, run_.at("train").at("tokens_per_batch"));

  resume();

  const int64_t steps = plan_->steps(), every = run_.at("train").at("checkpoint").value("every", int64_t(0));
  const int64_t evaluate_every = run_.at("train").at("evaluate").value("every", int64_t(0));
  const auto training = Clock::now();
  double learned = 0;
  while (at_.step < steps) {
    last_ = train_step();
    const int64_t step = at_.step;
    learned += last_.at("tokens").get<double>();
    if (eval_.data && (step % evaluate_every == 0 || step == steps)) last_.update(evaluate());
    require_best();
    host_.metrics(step, last_);
    checkpoints_->check();
    const int signal = host_.stop_requested();
    if (step == steps || signal != 0 || (every > 0 && step % every == 0)) save(step == steps || signal != 0);
    if (signal != 0 && step < steps) throw stopped_by(signal, "after step " + std::to_string(step) + ", which is saved");
    host_.progress("train", step, steps);
  }
  const double seconds = seconds_since(training);
  write_final(trainable);
  return {{"steps", steps},
          {"epochs", plan_->epochs()},
          {"formula", algorithm_->formula()},
          {"loss", last_.value("loss", Json())},
          {"tokens", at_.tokens},
          {"tokens_per_s", learned > 0 ? Json(learned / seconds) : Json()},
          {"reference_seconds", reference_seconds},
          {"train_seconds", seconds},
          {"dropped_rows", train_.data->dropped()},
          {"skipped_steps", at_.skipped},
          {"peak_memory_bytes", peak_memory()},
          {"peak_device_memory_bytes", peak_device_memory(policy_.device)},
          {"planned_memory_bytes", planned_.at("memory").at("peak")},
          {"planned_seconds", planned_.contains("time") ? planned_["time"].at("total_s") : Json()},
          {"planned_step_seconds", planned_.contains("time") ? planned_["time"].at("step_s") : Json()},
          {"final", folder_ + "/final"}};
}

}  // namespace attune
