// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attune/abi.h"
#include "attune/sample.h"
#include "attune/tokenizer.h"
#include "kernel/host/json.h"

/// The seam between the host (no LibTorch) and libattune-engine.so. Both are built together; no ABI promise.
namespace attune {

/// Samples by index: a reader and a dataset joined. Pure function of the index. [worker, one call at a time]
class SampleSource {
 public:
  virtual ~SampleSource() = default;
  virtual int64_t size() const = 0;
  /// Throws ExitError(kData) naming file and record where the record does not map.
  virtual SampleBuilder at(int64_t index) = 0;
  /// SHA-256 of the data and of how it is mapped, in hex.
  virtual std::string digest() const = 0;
  /// "file.jsonl record 17", for messages.
  virtual std::string describe(int64_t index) const = 0;
};

/// A checkpoint: a folder in the Hugging Face layout, or one file. Tensors by name, whatever the files.
class Checkpoint {
 public:
  virtual ~Checkpoint() = default;
  /// Descriptions of every tensor (data is {NULL, 0}); valid while the checkpoint lives.
  virtual std::span<const attune_tensor> tensors() const = 0;
  /// Calls `use` with the data. Throws Error naming file and tensor where it is missing or truncated.
  virtual void read(std::string_view name, const std::function<void(const attune_tensor&)>& use) = 0;
  /// config.json and others; empty where there is none.
  virtual std::string document(std::string_view name) const = 0;
  /// SHA-256 over names, shapes and contents, in hex.
  virtual std::string digest() = 0;
};

/// A table made by a plugin; destroyed with the handle.
template <typename Table>
using Plugin = std::unique_ptr<Table, std::function<void(Table*)>>;

/// What the host does for the engine. Lives as long as the engine's calls.
class HostServices {
 public:
  virtual ~HostServices() = default;
  /// `use` is "name" or "plugin.id:name"; `kind` e.g. "algorithm/1". Options are validated and defaulted by the host
  /// unless they are so already. Throws ExitError(kPluginMissing | kPluginRefused).
  virtual Plugin<attune_object> object(std::string_view kind, std::string_view use, const Json& options) = 0;
  /// What the plugin's metadata says of a factory: its [[provides]] table as JSON ("sample", "reference", ...).
  virtual Json metadata(std::string_view kind, std::string_view use) = 0;
  /// The model plugin that declares config.json's architecture, as "plugin.id:name".
  virtual std::string model_for(const Json& config) = 0;
  /// What the last failing call of a plugin on this thread said. Used to turn codes into exceptions.
  virtual std::string last_failure() = 0;

  virtual std::unique_ptr<Tokenizer> tokenizer(const std::string& folder) = 0;
  virtual std::unique_ptr<Checkpoint> checkpoint(const std::string& path) = 0;
  /// Writes tensors as one file of the format that `path`'s suffix names (".safetensors"), fsynced.
  virtual void write_tensors(const std::string& path, std::span<const attune_tensor> tensors, const Json& metadata) = 0;
  /// One entry of data.
  virtual std::unique_ptr<SampleSource> samples(const Json& entry) = 0;
  /// The entries of `data`.train or .eval, in order; training data without what [data] wants left out.
  virtual std::vector<std::unique_ptr<SampleSource>> sources(const Json& data, const std::string& split) = 0;

  /// A row of metrics: metrics.jsonl, trackers, the progress line. Steps count from 1.
  virtual void metrics(int64_t step, const Json& row) = 0;
  /// After a resume: rows of later steps than `step` are dropped from metrics.jsonl.
  virtual void rewind_metrics(int64_t step) = 0;
  /// Before a checkpoint is written: what was said so far must outlast it.
  virtual void sync_metrics() {}
  /// Progress of a phase ("train", "reference", "evaluate", "generate").
  /// Throws ExitError where a signal asks to stop, except in "train", which asks `stop_requested` and saves first.
  virtual void progress(std::string_view phase, int64_t done, int64_t total) = 0;
  /// The signal that asks to stop; 0: none does.
  virtual int stop_requested() const { return 0; }
  virtual void log(int level, std::string_view message) = 0;  ///< ATTUNE_LOG_*
  /// This machine: "cpu", "cores", "memory_bytes"; "cache": the folder for what is measured once, "" where there is none.
  virtual Json machine() { return Json::object(); }
  /// Called with the plan of a training run before its weights are read. Throws ExitError where the machine is too small.
  virtual void planned(const Json&) {}
};

/// A model ready to answer and to score. [control]
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;
  virtual const Tokenizer& tokenizer() const = 0;
  /// The engine's own generator. A model with a value head answers VALUES requests alone, any other all but those. Borrowed.
  virtual attune_generator& generator() = 0;
  /// Whether the model has a value head.
  virtual bool judges() const { return false; }
  /// log p(id_i | ids before i) for i >= 1; element 0 is NaN. One vector per input.
  virtual std::vector<std::vector<double>> score(std::span<const std::vector<int64_t>> ids) = 0;
};

struct ModelRequest {
  std::string path;                 ///< folder or file of the checkpoint
  std::string use;                  ///< model plugin; empty: by config.json's architecture
  Json options = Json::object();    ///< of the model plugin
  std::string dtype = "float32";    ///< float32 | bfloat16
  std::string device = "cpu";       ///< cpu | cuda
  bool cache = true;                ///< generation keeps keys and values; false recomputes, for tests
  int64_t batch = 16;               ///< requests in flight
};

/// Whether a plan measures this machine: never, where it does not know it yet, or anew.
enum class Calibrate { kNever, kIfMissing, kAgain };

/// What the validator of plugins cannot do without tensors.
class TorchTrials {
 public:
  virtual ~TorchTrials() = default;
  struct Trial {
    std::string name, about;
  };
  using Make = std::function<Plugin<attune_object>(const Json& options)>;
  /// All that comes of using an object: equal objects give equal results for equal inputs. `metadata` is its factory's.
  virtual Json use(std::string_view kind, attune_object& object, const Json& metadata, const Json& given) = 0;
  virtual std::vector<Trial> trials(std::string_view kind) = 0;
  /// Throws Error with what is wrong. Returns why the trial was not made, "" where it was.
  virtual std::string run(std::string_view kind, std::string_view trial, const Make& make, const Json& options, const Json& metadata) = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  /// Trains as the resolved run says, into `folder` (checkpoints/, final/). Resumes what is there. Returns the results for
  /// record.toml: steps, loss, tokens, tokens_per_s, peak memory, digests, plan beside measurement.
  virtual Json train(const Json& run, const std::string& folder, HostServices& host) = 0;
  /// Computes what the run's reference says of its samples, and stores it where the run will look: [{"data", "folder"}]; none
  /// where it compares with no stored reference.
  virtual Json references(const Json& run, HostServices& host) = 0;
  /// Predictions for a resolved run (Planner::plan in the engine says which). Reads config.json, tokenizer and data, no weights.
  virtual Json plan(const Json& run, HostServices& host, Calibrate calibrate) = 0;
  virtual std::unique_ptr<LanguageModel> open(const ModelRequest& request, HostServices& host) = 0;
  /// Writes a Hugging Face folder (config.json, model.safetensors, tokenizer files) from any checkpoint.
  virtual void convert(const std::string& from, const std::string& to, const std::string& dtype, HostServices& host) = 0;
  virtual void threads(int count) = 0;
  virtual TorchTrials& trials() = 0;
};

}  // namespace attune

/// The engine's only exported function.
extern "C" ATTUNE_EXPORT attune::Engine* attune_engine_v1(void);
