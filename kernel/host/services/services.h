// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernel/host/services/checkpoint.h"
#include "kernel/host/services/data_filter.h"
#include "kernel/host/services/installation.h"
#include "kernel/host/services/metrics.h"
#include "kernel/host/services/progress.h"
#include "kernel/host/services/run_services.h"
#include "kernel/host/services/run_trace.h"
#include "kernel/host/services/samples.h"

namespace attune {

/// The host's services over the plugins of an installation. `folder` is the run's; where it is
/// empty nothing is written.
class Services final : public RunServices {
 public:
  Services(Installation& installation, Console& console, std::string folder = "");
  ~Services() override;

  /// Opens the trackers of a resolved run.
  void track(const Json& run);

  Plugin<attune_object> object(std::string_view kind, std::string_view use,
                               const Json& options) override;
  Json metadata(std::string_view kind, std::string_view use) override;
  std::string model_for(const Json& config) override;
  std::string last_failure() override;
  std::unique_ptr<Tokenizer> tokenizer(const std::string& folder) override;
  std::unique_ptr<Checkpoint> checkpoint(const std::string& path) override;
  void write_tensors(const std::string& path, std::span<const attune_tensor> tensors,
                     const Json& metadata) override;
  std::unique_ptr<SampleSource> samples(const Json& entry) override;
  SampleSources sources(const Json& data, const std::string& split) override;
  void metrics(int64_t step, const Json& row) override;
  void rewind_metrics(int64_t step) override;
  void sync_metrics() override;
  void progress(std::string_view phase, int64_t done, int64_t total) override;
  int stop_requested() const override { return console_.stop_requested(); }
  void log(int level, std::string_view message) override;
  Json machine() override;
  void planned(const Json& plan) override;

  Plugin<attune_generator> generator(const std::string& use, const Json& options) override;
  Evaluator evaluator(const std::string& use, const Json& options) override;
  Json notes() const override { return notes_; }
  void check_cancelled() const override;

  /// The readers and the dataset of one data entry, opened.
  SamplePlugins sample_plugins(const Json& data);

 private:
  /// Makes an instance; what goes wrong in `create` ends the process with `exit`.
  template <typename Table>
  Plugin<Table> make(const Provider& provider, const Json& options, Exit exit);
  PluginFailure failure_of(const Provider& provider);
  Json filtered(const SampleSources& sources, const Json& data, const FilterOptions& options);
  Provider reader_for(const Json& entry, const std::string& file);

  Installation& installation_;
  Console& console_;
  Progress progress_;
  std::unique_ptr<MetricsFile> metrics_;
  std::unique_ptr<RunTrace> trace_;
  Trackers trackers_;
  std::string folder_;
  std::vector<std::string> temporary_;  ///< folders to remove
  Json notes_ = Json::object();
};

}  // namespace attune
