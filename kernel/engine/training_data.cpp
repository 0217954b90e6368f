// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/training_data.h"

#include <algorithm>
#include <numeric>

#include "kernel/host/exit.h"

namespace attune {
namespace {

constexpr int64_t kKeptRows = 50'000'000;  // about 1 GB of encoded samples

}  // namespace

EncodeOptions encode_options(const Json& train) {
  EncodeOptions options{train.at("max_length"), train.value("share_prompt", true)};
  const std::string scored = train.value("scored", "assistant"), truncation = train.value("truncation", "end");
  options.scored = scored == "all" ? EncodeOptions::Scored::kAll : scored == "last" ? EncodeOptions::Scored::kLast : EncodeOptions::Scored::kAssistant;
  options.truncation = truncation == "turns"    ? EncodeOptions::Truncation::kTurns
                       : truncation == "refuse" ? EncodeOptions::Truncation::kRefuse
                                                : EncodeOptions::Truncation::kEnd;
  return options;
}

TrainingData::TrainingData(const Json& data, const std::string& split, const Json& algorithm, LoadedModel& loaded,
                           const EncodeOptions& options, HostServices& host)
    : loaded_(loaded), host_(host), options_(options), shape_(algorithm) {
  auto opened = host.sources(data, split);
  for (size_t i = 0; i < opened.size(); ++i) {
    sources_.push_back({std::move(opened[i]), size_, data.at(split)[i].value("max_dropped", 0.0)});
    size_ += sources_.back().samples->size();
    digest_ += sources_.back().samples->digest() + "+";
  }
  if (size_ == 0) throw ExitError(Exit::kData, "the training data has no samples");
  digest_ += std::to_string(options.max_length) + "+" + std::to_string(options.share_prompt) + "+" + std::to_string(int(options.marks)) + "+" +
             std::to_string(int(options.scored)) + "+" + std::to_string(int(options.truncation));
}

std::vector<int64_t> TrainingData::sizes() const {
  std::vector<int64_t> sizes;
  for (const Source& source : sources_) sizes.push_back(source.samples->size());
  return sizes;
}

TrainingData::Source& TrainingData::source_of(int64_t index) {
  const auto after = std::upper_bound(sources_.begin(), sources_.end(), index,
                                      [](int64_t i, const Source& source) { return i < source.first; });
  return *std::prev(after);
}

SampleBuilder TrainingData::sample(int64_t index) {
  if (index >= size_) return answer_of(sample(index / size_ - 1), sample(index % size_));
  Source& source = source_of(index);
  return source.samples->at(index - source.first);
}

std::shared_ptr<const Encoded> TrainingData::at(int64_t index) {
  if (const auto found = encoded_.find(index); found != encoded_.end()) return found->second;
  if (dropped_.contains(index)) return nullptr;
  std::shared_ptr<Encoded> made;
  try {
    const SampleBuilder builder = sample(index);
    const attune_sample c = builder.c();
    if (index < size_) shape_.check(c);
    made = std::make_shared<Encoded>(loaded_.model->encode(c, *loaded_.tokenizer, options_));
    if (index < size_) made->labels = shape_.labels(c);
  } catch (const Error& error) {
    drop(index, error.what());
    return nullptr;
  }
  if (kept_rows_ < kKeptRows) {
    kept_rows_ += int64_t(made->ids.size());
    encoded_[index] = made;
  }
  return made;
}

std::vector<int64_t> TrainingData::all() const {
  std::vector<int64_t> indices(size_t(size_), 0);
  std::iota(indices.begin(), indices.end(), int64_t(0));
  return indices;
}

std::vector<int64_t> TrainingData::kept(std::span<const int64_t> indices) {
  std::vector<int64_t> kept;
  std::ranges::copy_if(indices, std::back_inserter(kept), [&](int64_t index) { return at(index) != nullptr; });
  return kept;
}

std::vector<int64_t> TrainingData::mismatched(std::span<const int64_t> kept) const {
  if (kept.size() == 1) {
    throw ExitError(Exit::kData, "a step has a single sample, and this algorithm compares prompts with other samples' answers; raise samples_per_step");
  }
  std::vector<int64_t> indices;
  for (size_t k = 0; k < kept.size(); ++k) indices.push_back(mismatched(kept[k], kept[(k + kept.size() - 1) % kept.size()]));
  return indices;
}

Json TrainingData::dropped_samples() const {
  Json samples = Json::object();
  for (const auto& [index, why] : dropped_) samples[std::to_string(index)] = why;
  return samples;
}

void TrainingData::restore_dropped(const Json& samples) {
  for (const auto& [text, why] : samples.items()) {
    const int64_t index = std::stoll(text);
    if (dropped_.emplace(index, why.get<std::string>()).second) ++source_of(row_of(index)).dropped;
  }
}

void TrainingData::drop(int64_t index, const std::string& why) {
  Source& source = source_of(row_of(index));
  const std::string row = source.samples->describe(row_of(index) - source.first) + ": " + why;
  dropped_[index] = why;
  const double allowed = source.max_dropped * double(source.samples->size());
  if (double(++source.dropped) > allowed) {
    throw ExitError(Exit::kData, row + (source.max_dropped == 0 ? "\n  = help: mend the row, or allow a share of rows to be dropped: max_dropped = 0.01"
                                                                : "\n  = help: more rows than max_dropped = " + Json(source.max_dropped).dump() + " allows"));
  }
  host_.log(ATTUNE_LOG_WARN, "dropped " + row);
}

}  // namespace attune
