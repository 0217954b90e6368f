// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/services.h"

#include <cstdlib>
#include <filesystem>

#include "kernel/host/run/hardware.h"
#include "kernel/host/run/plan_fit.h"
#include "kernel/host/services/data_files.h"
#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"
#include "kernel/host/services/tokenizer.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

std::string noun_of(std::string_view kind) { return std::string(kind.substr(0, kind.find('/'))); }

std::string make_temporary_folder() {
  std::string name = (fs::temp_directory_path() / "attune-XXXXXX").string();
  if (!::mkdtemp(name.data())) throw ExitError(Exit::kRunFailed, name + ": cannot be made");
  return name;
}

}  // namespace

Services::Services(Installation& installation, Console& console, std::string folder)
    : installation_(installation),
      console_(console),
      progress_(console),
      folder_(std::move(folder)) {
  if (folder_.empty()) return;
  metrics_ = std::make_unique<MetricsFile>(fs::path(folder_) / "metrics.jsonl");
  trace_ = std::make_unique<RunTrace>(folder_);
}

Services::~Services() {
  progress_.finish();
  std::error_code ignored;
  for (const std::string& folder : temporary_) fs::remove_all(folder, ignored);
}

template <typename Table>
Plugin<Table> Services::make(const Provider& provider, const Json& options, Exit exit) {
  try {
    return installation_.loader().make<Table>(provider, options);
  } catch (const ExitError&) {
    throw;
  } catch (const Error& error) {
    throw ExitError(exit, error.what());
  }
}

PluginFailure Services::failure_of(const Provider& provider) {
  return {noun_of(provider.factory->kind) + " \"" + provider.factory->name + "\"",
          [] { return attune::last_failure(); }};
}

void Services::track(const Json& run) {
  if (!run.contains("tracker")) return;
  for (const Json& entry : run["tracker"]) {
    const Provider provider =
        installation_.registry().resolve("tracker/1", entry.at("use").get<std::string>());
    Json options = entry.value("options", Json::object());
    options["folder"] = folder_;
    trackers_.add(
        {make<attune_tracker>(provider, options, Exit::kRunFailed), failure_of(provider)});
  }
}

Plugin<attune_object> Services::object(std::string_view kind, std::string_view use,
                                       const Json& options) {
  return make<attune_object>(installation_.registry().resolve(kind, use), options,
                             Exit::kRunFailed);
}

Json Services::metadata(std::string_view kind, std::string_view use) {
  const Provider provider = installation_.registry().resolve(kind, use);
  Json made = provider.factory->metadata;
  made["kind"] = provider.factory->kind;
  made["name"] = provider.factory->name;
  made["plugin"] = provider.plugin->id;
  return made;
}

std::string Services::model_for(const Json& config) {
  const bool named = config.contains("architectures") && config["architectures"].is_array() &&
                     !config["architectures"].empty() && config["architectures"][0].is_string();
  if (!named) {
    throw ExitError(Exit::kData,
                    "config.json: expected \"architectures\": [\"...\"] to choose a model plugin "
                    "by; add it, or "
                    "name the plugin with [model] use");
  }
  auto name = config["architectures"][0].get<std::string>();
  // A model with a value head has the trunk of the language model of its family.
  for (const std::string suffix : {"ForSequenceClassification", "ForTokenClassification"}) {
    if (!name.ends_with(suffix)) continue;
    const std::string family = name.substr(0, name.size() - suffix.size());
    for (const ProviderInfo& provider : installation_.registry().providers("model/1")) {
      for (const Json& known : provider.metadata.value("architectures", Json::array())) {
        if (known == family + "ForCausalLM" || known == family + "LMHeadModel") name = known;
      }
    }
  }
  return installation_.registry().by_architecture("model/1", name).use();
}

std::string Services::last_failure() { return attune::last_failure(); }

std::unique_ptr<Tokenizer> Services::tokenizer(const std::string& folder) {
  std::string path = folder;
  if (!fs::exists(fs::path(folder) / "tokenizer.json")) {
    // A checkpoint of one file carries its tokenizer inside.
    const auto source = checkpoint(folder);
    if (!source->document("tokenizer.json").empty()) {
      path = temporary_.emplace_back(make_temporary_folder());
      for (const char* name : kDocuments) {
        const std::string text = source->document(name);
        if (!text.empty()) write_atomically(fs::path(path) / name, text);
      }
    } else if (!fs::is_directory(folder)) {
      throw ExitError(Exit::kData,
                      folder +
                          ": has no tokenizer.json; name the folder of the tokenizer with "
                          "[model] tokenizer");
    }  // Else what a folder needs is for the plugin to say: one that reads bytes needs nothing.
  }
  const Provider provider = installation_.registry().only("tokenizer/1");
  return make_tokenizer(make<attune_tokenizer>(provider, {{"path", path}}, Exit::kData),
                        failure_of(provider));
}

std::unique_ptr<Checkpoint> Services::checkpoint(const std::string& path) {
  WeightsFormats formats;
  for (const ProviderInfo& provider : installation_.registry().providers("weights/1")) {
    for (const Json& suffix : provider.metadata.value("suffixes", Json::array())) {
      formats.suffixes.push_back(suffix.get<std::string>());
    }
  }
  formats.open = [this](const std::string& file) -> WeightsFile {
    const Provider provider = installation_.registry().by_suffix("weights/1", file);
    return {make<attune_weights>(provider, {{"path", file}}, Exit::kData), failure_of(provider)};
  };
  return open_checkpoint(path, std::move(formats));
}

void Services::write_tensors(const std::string& path, std::span<const attune_tensor> tensors,
                             const Json& metadata) {
  const Provider provider = installation_.registry().by_suffix("weights/1", path);
  const auto table = make<attune_weights>(provider, {{"path", ""}}, Exit::kRunFailed);
  const PluginFailure failure = failure_of(provider);
  if (!ATTUNE_HAS(table.get(), attune_weights, write)) {
    throw ExitError(Exit::kRunFailed,
                    failure.who() + ": reads this format but does not write it: " + path);
  }
  Arena arena;
  const attune_value strings = to_value(metadata, arena);
  failure.check(table->write(table->self, str(path), tensors.data(), tensors.size(), &strings),
                "writing " + path);
}

Provider Services::reader_for(const Json& entry, const std::string& file) {
  if (entry.contains("reader") && entry["reader"].contains("use"))
    return installation_.registry().resolve("reader/1", entry["reader"]["use"].get<std::string>());
  return installation_.registry().by_suffix("reader/1", file);
}

SamplePlugins Services::sample_plugins(const Json& entry) {
  const bool named = entry.contains("reader") && entry["reader"].contains("use");
  const auto known = [&](const std::string& file) {
    const auto providers = installation_.registry().providers("reader/1");
    return named || std::any_of(providers.begin(), providers.end(), [&](const ProviderInfo& reader) {
             const Json suffixes = reader.metadata.value("suffixes", Json::array());
             return std::any_of(suffixes.begin(), suffixes.end(), [&](const Json& suffix) {
               return file.ends_with(suffix.get_ref<const std::string&>());
             });
           });
  };
  const Provider dataset =
      installation_.registry().resolve("dataset/1", entry.at("use").get<std::string>());
  SamplePlugins plugins{
      {},
      make<attune_dataset>(dataset, entry.value("options", Json::object()), Exit::kManifest),
      failure_of(dataset)};
  for (const std::string& file : data_files(entry.at("path"), known)) {
    const Provider reader = reader_for(entry, file);
    Json options = named ? entry["reader"].value("options", Json::object()) : Json::object();
    options["path"] = file;
    const Json declared = reader.factory->metadata.value("options", Json::object());
    if (!folder_.empty() && declared.contains("index") && fs::file_size(file) >= kLargeFile) {
      const fs::path index = fs::path(folder_) / "index";
      fs::create_directories(index);
      options["index"] = (index / (sha256(file).substr(0, 16) + ".rows")).string();
    }
    plugins.files.push_back(
        {file, make<attune_reader>(reader, options, Exit::kData), failure_of(reader)});
  }
  return plugins;
}

std::unique_ptr<SampleSource> Services::samples(const Json& entry) {
  const Provider dataset =
      installation_.registry().resolve("dataset/1", entry.at("use").get<std::string>());
  SampleOptions options;
  options.path = entry.at("path");
  options.mapping = dataset.use() + " " + dataset.plugin->version + " " +
                    entry.value("options", Json::object()).dump();
  if (entry.contains("reader")) options.mapping += " " + entry["reader"].dump();
  options.limit = entry.value("limit", int64_t{0});
  options.max_dropped = entry.value("max_dropped", 0.0);
  options.stream = entry.value("stream", false);
  if (!folder_.empty()) options.index = fs::path(folder_) / "index";
  return open_samples(sample_plugins(entry), options, [&](const std::vector<DroppedRow>& dropped) {
    Json rows = Json::array();
    for (const DroppedRow& row : dropped) {
      rows.push_back({{"row", row.row}, {"why", row.why}});
      log(ATTUNE_LOG_WARN, row.row + " is dropped: " + row.why);
    }
    notes_["dropped"].push_back({{"path", options.path}, {"rows", rows}});
  });
}

SampleSources Services::sources(const Json& data, const std::string& split) {
  SampleSources made;
  for (const Json& entry : data.at(split)) made.push_back(samples(entry));
  const Json heldout = data.value("heldout", Json::array());
  FilterOptions options{data.value("duplicates", "keep") == "drop",
                        data.value("contaminated", "refuse")};
  if (split != "train" || (!options.drop_duplicates && heldout.empty())) return made;
  const Json found = filtered(made, data, options);
  keep_only(made, found.at("kept"));
  notes_["filtered"] = found.at("found");
  log(ATTUNE_LOG_INFO, "training data: " + notes_["filtered"]["duplicates"].dump() +
                           " duplicates left out, " + notes_["filtered"]["contaminated"].dump() +
                           " samples hold words of " + found.at("items").dump() + " held-out items");
  return made;
}

/// What to leave out of training data, and what was found; kept in the run's folder.
Json Services::filtered(const SampleSources& sources, const Json& data,
                        const FilterOptions& options) {
  SampleSources heldout;
  for (const Json& entry : data.value("heldout", Json::array())) heldout.push_back(samples(entry));
  const size_t n = data.value("ngram", size_t{13});
  Sha256 digest;
  for (const SampleSources* all : {&sources, static_cast<const SampleSources*>(&heldout)}) {
    for (const auto& source : *all) digest.add_sized(source->digest());
    digest.add_sized("end");
  }
  digest.add_sized(std::to_string(n)).add_sized(options.contaminated);
  const std::string key = digest.add_sized(options.drop_duplicates ? "drop" : "keep").hex();
  const fs::path file = fs::path(folder_) / "index" / (key.substr(0, 16) + ".filtered.json");
  if (!folder_.empty() && fs::exists(file)) {
    const Json known = unsealed(read_text(file));
    if (known.is_object() && known.value("key", "") == key) return known;
  }
  HeldoutItems items(n);
  for (const auto& source : heldout) items.add(*source);
  const Filtered made = look_through(sources, items, options);
  const Json found = {{"key", key}, {"items", items.size()}, {"found", made.found}, {"kept", made.kept}};
  if (folder_.empty()) return found;
  fs::create_directories(file.parent_path());
  write_atomically(file, sealed(found));
  return found;
}

void Services::metrics(int64_t step, const Json& row) {
  if (metrics_) metrics_->write(step, row);
  trackers_.log(step, row);
  progress_.metrics(row);
}

void Services::rewind_metrics(int64_t step) {
  if (metrics_) metrics_->rewind(step);
}

void Services::sync_metrics() {
  if (metrics_) metrics_->sync();
}

void Services::progress(std::string_view phase, int64_t done, int64_t total) {
  progress_.update(phase, done, total);
  if (trace_) trace_->progress(phase, done, total);
  if (phase != "train") check_cancelled();
}

void Services::log(int level, std::string_view message) {
  if (level <= ATTUNE_LOG_DEBUG) return;
  const char* const word = level == ATTUNE_LOG_WARN    ? "warning: "
                           : level >= ATTUNE_LOG_ERROR ? "error: "
                                                       : "";
  const std::string line = word + std::string(message);
  if (trace_) trace_->log(line);
  if (!console_.quiet || level >= ATTUNE_LOG_WARN) progress_.note(line);
}

Json Services::machine() {
  Json made = hardware();
  made["cache"] = installation_.cache_folder();
  return made;
}

void Services::planned(const Json& plan) {
  if (trace_) trace_->plan(plan);
  if (plan.value("device", "cpu") == "cpu") check_memory(plan.at("name"), plan.at("memory").at("peak"), hardware().at("memory_bytes"));
}

Plugin<attune_generator> Services::generator(const std::string& use, const Json& options) {
  return make<attune_generator>(installation_.registry().resolve("generator/1", use), options,
                                Exit::kManifest);
}

Evaluator Services::evaluator(const std::string& use, const Json& options) {
  const Provider provider = installation_.registry().resolve("evaluator/1", use);
  return {make<attune_evaluator>(provider, options, Exit::kManifest), failure_of(provider)};
}

void Services::check_cancelled() const {
  if (const int signal = console_.stop_requested()) throw stopped_by(signal);
}

}  // namespace attune
