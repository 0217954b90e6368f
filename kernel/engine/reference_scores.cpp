// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/reference_scores.h"

#include <ATen/ATen.h>
#include <unistd.h>

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

ReferenceScores::ReferenceScores(const std::string& folder, const std::string& key, HostServices& host)
    : folder_(fs::path(folder) / key), host_(host) {
  std::vector<std::string> names;
  if (fs::is_directory(folder_)) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
      if (entry.path().extension() == ".safetensors") names.push_back(entry.path().filename().string());
    }
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) open(name);
}

std::optional<size_t> ReferenceScores::Part::find(int64_t index) const {
  const auto at = std::ranges::lower_bound(indices, index);
  return at != indices.end() && *at == index ? std::optional(size_t(at - indices.begin())) : std::nullopt;
}

bool ReferenceScores::has(int64_t index) const {
  return std::ranges::any_of(parts_, [&](const Part& part) { return part.find(index).has_value(); });
}

void ReferenceScores::open(const std::string& name) {
  Part part{name, host_.checkpoint((folder_ / name).string()), {}, {0}};
  part.file->read("indices", [&](const attune_tensor& t) {
    const auto* data = static_cast<const int64_t*>(t.data.data);
    part.indices.assign(data, data + t.shape[0]);
  });
  part.file->read("lengths", [&](const attune_tensor& t) {
    const auto* data = static_cast<const int64_t*>(t.data.data);
    for (int64_t i = 0; i < t.shape[0]; ++i) part.starts.push_back(part.starts.back() + data[i]);
  });
  parts_.push_back(std::move(part));
}

void ReferenceScores::add(const Scores& scores) {
  std::vector<int64_t> indices, lengths;
  std::vector<float> logprobs;
  for (const auto& [index, numbers] : scores) {
    indices.push_back(index);
    lengths.push_back(int64_t(numbers.size()));
    logprobs.insert(logprobs.end(), numbers.begin(), numbers.end());
  }
  const int64_t n = int64_t(indices.size()), units = int64_t(logprobs.size());
  const attune_tensor tensors[] = {
      {str("indices"), ATTUNE_I64, 1, &n, {indices.data(), indices.size() * sizeof(int64_t)}},
      {str("lengths"), ATTUNE_I64, 1, &n, {lengths.data(), lengths.size() * sizeof(int64_t)}},
      {str("logprobs"), ATTUNE_F32, 1, &units, {logprobs.data(), logprobs.size() * sizeof(float)}}};
  fs::create_directories(folder_);
  const std::string number = std::to_string(parts_.size() + 1);  // Two runs may fill one folder.
  const std::string name = std::string(6 - std::min<size_t>(6, number.size()), '0') + number + "-" + std::to_string(::getpid()) + ".safetensors";
  host_.write_tensors((folder_ / name).string(), tensors, Json::object());
  open(name);
}

bool ReferenceScores::complete_for(const std::string& plan) const {
  const fs::path marker = folder_ / (plan.substr(0, 16) + ".complete.json");
  const Json marked = fs::exists(marker) ? unsealed(read_text(marker)) : Json();
  if (!marked.is_object() || marked.value("plan", "") != plan) return false;
  return std::ranges::all_of(marked.at("parts"), [&](const Json& name) {
    return std::ranges::any_of(parts_, [&](const Part& part) { return part.name == name; });
  });
}

void ReferenceScores::mark_complete(const std::string& plan) const {
  Json parts = Json::array();
  for (const Part& part : parts_) parts.push_back(part.name);
  if (!parts_.empty()) write_atomically(folder_ / (plan.substr(0, 16) + ".complete.json"), sealed({{"plan", plan}, {"parts", parts}}));
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
      if (fresh.contains(index) || has(index)) continue;
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
    const auto part = std::ranges::find_if(parts_, [&](const Part& one) { return one.find(index).has_value(); });
    if (part == parts_.end()) throw Error(folder_.string() + ": has no scores of sample " + std::to_string(index) + "; remove the folder");
    const size_t place = *part->find(index);
    part->file->read("logprobs", [&](const attune_tensor& t) {
      const auto* data = static_cast<const float*>(t.data.data);
      all.insert(all.end(), data + part->starts[place], data + part->starts[place + 1]);
    });
  }
  return at::tensor(all, at::kFloat);
}

}  // namespace attune
