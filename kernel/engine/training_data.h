// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
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
  /// Identifies data, rendering and encoding.
  std::string digest() const { return digest_; }
  int64_t dropped() const { return int64_t(dropped_.size()); }

 private:
  struct Source {
    std::unique_ptr<SampleSource> samples;
    int64_t first;
    double max_dropped;
    int64_t dropped = 0;
  };
  Source& source_of(int64_t index);
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
  std::unordered_map<int64_t, std::string> dropped_;
};

}  // namespace attune
