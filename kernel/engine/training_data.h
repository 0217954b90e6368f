// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "attune/model.h"
#include "kernel/engine/loaded_model.h"
#include "kernel/engine/sample_shape.h"
#include "kernel/host/engine_api.h"

namespace attune {

/// How the table [train] wants samples encoded.
EncodeOptions encode_options(const Json& train);

/// The samples of several sources, encoded. Sample i is the same rows whatever was asked for before. Encoded samples are
/// kept while they fit.
class TrainingData {
 public:
  /// `data` is the table [data], `split` "train" or "eval"; `algorithm` the metadata of the algorithm, which says what a
  /// sample must be.
  TrainingData(const Json& data, const std::string& split, const Json& algorithm, LoadedModel& loaded, const EncodeOptions& options,
               HostServices& host);

  int64_t size() const { return size_; }
  /// Samples of each source; their indices follow each other.
  std::vector<int64_t> sizes() const;
  /// Null where the sample was dropped. Throws ExitError(kData) when more were dropped than the manifest allows.
  std::shared_ptr<const Encoded> at(int64_t index);
  /// The index, beyond size(), of a sample made of one sample's prompt and another's best answer.
  int64_t mismatched(int64_t prompt, int64_t answer) const { return size_ * (1 + prompt) + answer; }
  /// Every index; and those of `indices` whose samples were not dropped.
  std::vector<int64_t> all() const;
  std::vector<int64_t> kept(std::span<const int64_t> indices);
  /// Each prompt of a step with the answer of the sample before, the first with that of the last.
  std::vector<int64_t> mismatched(std::span<const int64_t> kept) const;
  /// Identifies data, rendering and encoding.
  std::string digest() const { return digest_; }
  int64_t dropped() const { return int64_t(dropped_.size()); }
  /// index -> why, of the samples that were dropped so far: they count against what the manifest allows.
  Json dropped_samples() const;
  void restore_dropped(const Json& samples);

 private:
  struct Source {
    std::unique_ptr<SampleSource> samples;
    int64_t first;
    double max_dropped;
    int64_t dropped = 0;
  };
  Source& source_of(int64_t index);
  /// The sample whose prompt an index is of.
  int64_t row_of(int64_t index) const { return index < size_ ? index : index / size_ - 1; }
  SampleBuilder sample(int64_t index);
  void drop(int64_t index, const std::string& why);

  std::vector<Source> sources_;
  LoadedModel& loaded_;
  HostServices& host_;
  EncodeOptions options_;
  SampleShape shape_;
  std::string digest_;
  int64_t size_ = 0, kept_rows_ = 0;
  std::unordered_map<int64_t, std::shared_ptr<const Encoded>> encoded_;
  std::map<int64_t, std::string> dropped_;
};

}  // namespace attune
