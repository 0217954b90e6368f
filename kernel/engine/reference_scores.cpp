// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/reference_scores.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>

#include "nn/top_divergence.h"

namespace attune {

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

ReferenceScores::ReferenceScores(std::string folder, std::string key, HostServices& host)
    : path_(std::move(folder) + "/" + std::move(key) + ".safetensors"), host_(host) {
  if (std::filesystem::exists(path_)) read();
}

void ReferenceScores::read() {
  const auto file = host_.checkpoint(path_);
  std::vector<int64_t> indices, lengths;
  file->read("indices", [&](const attune_tensor& t) {
    const auto* data = static_cast<const int64_t*>(t.data.data);
    indices.assign(data, data + t.shape[0]);
  });
  file->read("lengths", [&](const attune_tensor& t) {
    const auto* data = static_cast<const int64_t*>(t.data.data);
    lengths.assign(data, data + t.shape[0]);
  });
  file->read("logprobs", [&](const attune_tensor& t) {
    const auto* next = static_cast<const float*>(t.data.data);
    for (size_t i = 0; i < indices.size(); ++i) {
      scores_[indices[i]].assign(next, next + lengths[i]);
      next += lengths[i];
    }
  });
}

void ReferenceScores::write() const {
  std::vector<int64_t> indices, lengths;
  for (const auto& [index, scores] : scores_) indices.push_back(index);
  std::sort(indices.begin(), indices.end());
  std::vector<float> logprobs;
  for (const int64_t index : indices) {
    const std::vector<float>& scores = scores_.at(index);
    lengths.push_back(int64_t(scores.size()));
    logprobs.insert(logprobs.end(), scores.begin(), scores.end());
  }
  const int64_t n = int64_t(indices.size()), units = int64_t(logprobs.size());
  const attune_tensor tensors[] = {
      {str("indices"), ATTUNE_I64, 1, &n, {indices.data(), indices.size() * sizeof(int64_t)}},
      {str("lengths"), ATTUNE_I64, 1, &n, {lengths.data(), lengths.size() * sizeof(int64_t)}},
      {str("logprobs"), ATTUNE_F32, 1, &units, {logprobs.data(), logprobs.size() * sizeof(float)}}};
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path());
  host_.write_tensors(path_, tensors, Json::object());
}

bool ReferenceScores::has(std::span<const int64_t> indices, TrainingData& data) const {
  return std::all_of(indices.begin(), indices.end(), [&](int64_t index) { return scores_.contains(index) || !data.at(index); });
}

int64_t ReferenceScores::complete(std::span<const int64_t> indices, TrainingData& data, const Scorer& score, int64_t budget) {
  constexpr size_t kGroup = 64;  // Samples sorted by length together; also how often progress shows.
  std::vector<int64_t> missing;
  for (const int64_t index : indices) {
    if (!scores_.contains(index)) missing.push_back(index);
  }
  int64_t done = 0;
  for (size_t first = 0; first < missing.size(); first += kGroup) {
    std::vector<std::shared_ptr<const Encoded>> held;
    std::vector<const Encoded*> samples;
    std::vector<int64_t> kept;
    for (size_t i = first; i < std::min(missing.size(), first + kGroup); ++i) {
      const auto sample = data.at(missing[i]);
      if (!sample) continue;
      samples.push_back(held.emplace_back(sample).get());
      kept.push_back(missing[i]);
    }
    for (const std::vector<size_t>& bin : split_by_rows(samples, budget)) {
      std::vector<const Encoded*> part;
      for (const size_t i : bin) part.push_back(samples[i]);
      std::vector<std::vector<float>> scores = score(part);
      for (size_t i = 0; i < bin.size(); ++i) scores_[kept[bin[i]]] = std::move(scores[i]);
      done += int64_t(bin.size());
      host_.progress("reference", done, int64_t(missing.size()));
    }
  }
  if (done > 0) write();
  return done;
}

at::Tensor ReferenceScores::of(std::span<const int64_t> indices) const {
  std::vector<float> all;
  for (const int64_t index : indices) {
    const std::vector<float>& scores = scores_.at(index);
    all.insert(all.end(), scores.begin(), scores.end());
  }
  return at::tensor(all, at::kFloat);
}

}  // namespace attune
