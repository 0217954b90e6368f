// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/reference_scores.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>

#include "kernel/host/services/files.h"
#include "nn/top_divergence.h"

namespace attune {
namespace fs = std::filesystem;

std::vector<std::vector<float>> score_units(std::span<const Encoded* const> samples, LoadedModel& loaded) {
  const at::NoGradGuard no_grad;
  const MicroBatch micro = pack(samples, loaded.model->shape().position_axes, loaded.device);
  const at::Tensor logprob_U = log_likelihood(*loaded.model, micro).to(at::kCPU).contiguous();
  const float* next = logprob_U.data_ptr<float>();
  std::vector<std::vector<float>> scores;
  for (const int64_t units : micro.units) {
    scores.emplace_back(next, next + units);
    next += units;
  }
  return scores;
}

std::vector<std::vector<float>> top_units(std::span<const Encoded* const> samples, LoadedModel& loaded, int64_t k, double temperature) {
  const at::NoGradGuard no_grad;
  const MicroBatch micro = pack(samples, loaded.model->shape().position_axes, loaded.device);
  if (micro.head_U.defined()) throw Error("distillation takes models with one head");
  const at::Tensor hidden_ND = loaded.model->hidden(micro.batch, nullptr);
  const auto [ids_UK, log_UK] = nn::top_tokens(hidden_ND.index_select(0, micro.row_U), loaded.model->head(0), k, temperature);
  const at::Tensor all = at::cat({ids_UK.to(at::kFloat), log_UK}, 1).to(at::kCPU).contiguous();
  const float* next = all.data_ptr<float>();
  std::vector<std::vector<float>> scores;
  for (const int64_t units : micro.units) {
    scores.emplace_back(next, next + units * all.size(1));
    next += units * all.size(1);
  }
  return scores;
}

ReferenceScores::ReferenceScores(const std::string& folder, const std::string& key, HostServices& host) : stored_(fs::path(folder) / key, host), host_(host) {
  for (const std::string& name : stored_.damaged()) {
    host.log(ATTUNE_LOG_WARN, (stored_.folder() / name).string() + ": has other bytes than were written; its samples are scored again");
    fs::remove(stored_.folder() / name);
  }
}

void ReferenceScores::add(const Scores& scores) {
  std::vector<int64_t> indices, starts = {0};
  std::vector<float> all;
  for (const auto& [index, numbers] : scores) {
    all.insert(all.end(), numbers.begin(), numbers.end());
    indices.push_back(index);
    starts.push_back(int64_t(all.size()));
  }
  stored_.add(indices, starts, all);
}

bool ReferenceScores::complete_for(const std::string& plan) const {
  const fs::path marker = stored_.folder() / (plan.substr(0, 16) + ".complete.json");
  const Json marked = fs::exists(marker) ? unsealed(read_text(marker)) : Json();
  if (!marked.is_object() || marked.value("plan", "") != plan) return false;
  return std::ranges::all_of(marked.at("parts"), [&](const Json& name) {
    return std::ranges::any_of(stored_.parts(), [&](const StoredScores::Part& part) { return part.name == name; });
  });
}

void ReferenceScores::mark_complete(const std::string& plan) const {
  Json parts = Json::array();
  for (const StoredScores::Part& part : stored_.parts()) parts.push_back(part.name);
  if (!parts.empty()) write_atomically(stored_.folder() / (plan.substr(0, 16) + ".complete.json"), sealed({{"plan", plan}, {"parts", parts}}));
}

void ReferenceScores::complete(std::span<const int64_t> indices, TrainingData& data, const Scorer& score, int64_t budget) {
  constexpr size_t kGroup = 64;  // Samples sorted by length together; also how often progress shows.
  constexpr auto kEvery = std::chrono::seconds(30);
  Scores fresh;
  auto written = std::chrono::steady_clock::now();
  for (size_t first = 0; first < indices.size(); first += kGroup) {
    std::vector<std::shared_ptr<const Encoded>> held;
    std::vector<const Encoded*> samples;
    std::vector<int64_t> kept;
    for (const int64_t index : indices.subspan(first, std::min(kGroup, indices.size() - first))) {
      if (fresh.contains(index) || stored_.part_of(index)) continue;
      const auto sample = data.at(index);
      if (!sample) continue;
      samples.push_back(held.emplace_back(sample).get());
      kept.push_back(index);
    }
    if (samples.empty()) continue;
    for (const std::vector<size_t>& bin : split_by_rows(samples, budget)) {
      std::vector<const Encoded*> part;
      for (const size_t i : bin) part.push_back(samples[i]);
      std::vector<std::vector<float>> scores = score(part);
      for (size_t i = 0; i < bin.size(); ++i) fresh[kept[bin[i]]] = std::move(scores[i]);
    }
    if (const auto now = std::chrono::steady_clock::now(); now - written > kEvery || host_.stop_requested() != 0) {
      add(fresh);
      fresh.clear();
      written = now;
    }
    host_.progress("reference", int64_t(std::min(indices.size(), first + kGroup)), int64_t(indices.size()));
  }
  if (!fresh.empty()) add(fresh);
}

at::Tensor ReferenceScores::of(std::span<const int64_t> indices) const {
  std::vector<float> all;
  for (const int64_t index : indices) {
    const StoredScores::Part* part = stored_.part_of(index);
    if (!part) throw Error(stored_.folder().string() + ": has no scores of sample " + std::to_string(index) + "; remove the folder");
    const size_t place = *part->find(index);
    part->file->read("numbers", [&](const attune_tensor& t) {
      const auto* data = static_cast<const float*>(t.data.data);
      all.insert(all.end(), data + part->starts[place], data + part->starts[place + 1]);
    });
  }
  return at::tensor(all, at::kFloat);
}

}  // namespace attune
