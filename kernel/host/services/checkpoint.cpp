// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/checkpoint.h"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <set>

#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

/// What an index file calls a model in several files.
constexpr const char* kIndexSuffix = ".index.json";

bool ends_with_any(const fs::path& path, const std::vector<std::string>& suffixes) {
  const std::string name = path.filename().string();
  return std::any_of(suffixes.begin(), suffixes.end(),
                     [&](const std::string& suffix) { return name.ends_with(suffix); });
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// Files that an index names, and which tensor lies in which.
struct Layout {
  std::vector<fs::path> files;
  std::map<std::string, std::string, std::less<>> file_of;  ///< empty: ask the files
  std::string missing;  ///< why there are no files: a folder may hold a configuration alone, until
                        ///< a tensor is asked for
};

Layout read_index(const fs::path& index) {
  const Json json = read_json(index);
  if (!json.contains("weight_map") || !json["weight_map"].is_object()) {
    throw ExitError(Exit::kData,
                    index.string() + ": expected a table \"weight_map\" from tensor to file");
  }
  Layout layout;
  std::set<std::string> names;
  for (const auto& [tensor, file] : json["weight_map"].items()) {
    if (!file.is_string() || fs::path(file.get<std::string>()).has_parent_path()) {
      throw ExitError(Exit::kData, index.string() + ": weight_map." + tensor +
                                       ": expected the name of a file beside the index, found " +
                                       file.dump());
    }
    layout.file_of[tensor] = file;
    names.insert(file.get<std::string>());
  }
  for (const std::string& name : names) layout.files.push_back(index.parent_path() / name);
  return layout;
}

Layout find_layout(const fs::path& path, const std::vector<std::string>& suffixes) {
  if (!fs::exists(path)) {
    throw ExitError(Exit::kData,
                    path.string() +
                        ": there is no such checkpoint; expected a folder with config.json "
                        "and tensors, or one file (" +
                        listed(suffixes) + ")");
  }
  if (path.string().ends_with(kIndexSuffix)) return read_index(path);
  if (!fs::is_directory(path)) return {{path}, {}};
  for (const std::string& suffix : suffixes) {
    if (fs::exists(path / ("model" + suffix))) return {{path / ("model" + suffix)}, {}};
    const fs::path index = path / ("model" + suffix + kIndexSuffix);
    if (fs::exists(index)) return read_index(index);
  }
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    if (ends_with_any(entry.path(), suffixes)) found.push_back(entry.path());
  }
  if (found.size() == 1) return {found, {}};
  const std::string missing = path.string() +
                              ": expected model.safetensors, its index, or exactly one file of " +
                              listed(suffixes) + "; found " + std::to_string(found.size());
  if (found.empty() && fs::exists(path / "config.json")) return {{}, {}, missing};
  throw ExitError(Exit::kData, missing);
}

class FolderCheckpoint final : public Checkpoint {
 public:
  FolderCheckpoint(const std::string& path, WeightsFormats formats)
      : path_(path), formats_(std::move(formats)), layout_(find_layout(path, formats_.suffixes)) {}

  std::span<const attune_tensor> tensors() const override {
    describe();
    return tensors_;
  }

  void read(std::string_view name, const std::function<void(const attune_tensor&)>& use) override {
    describe();
    const auto found = home_.find(name);
    if (found == home_.end()) {
      throw ExitError(Exit::kData,
                      path_.string() + ": has no tensor \"" + std::string(name) + "\"");
    }
    const WeightsFile& file = *open_.at(found->second);
    bool came = false;
    const auto take = [&](const attune_tensor* tensor) { came = true, use(*tensor); };
    file.failure.check(collect<TensorSinkOf>(take,
                                             [&](const attune_tensor_sink* sink) {
                                               return file.table->read(file.table->self, str(name),
                                                                       sink);
                                             }),
                       found->second + ": tensor \"" + std::string(name) + "\"", Exit::kData);
    if (!came) {
      throw ExitError(Exit::kRunFailed, file.failure.who() + ": gave no data for tensor \"" +
                                            std::string(name) + "\" and no error");
    }
  }

  std::string document(std::string_view name) const override {
    const fs::path folder = fs::is_directory(path_) ? path_ : path_.parent_path();
    const bool of_folder = fs::is_directory(path_);
    if (of_folder && fs::exists(folder / name)) return read_text(folder / name);
    if (of_folder && fs::exists(folder / "config.json")) return "";
    std::string text;
    for (const fs::path& file : layout_.files) {
      const WeightsFile& opened = open(file);
      if (!ATTUNE_HAS(opened.table.get(), attune_weights, document)) continue;
      const auto take = [&](attune_str part) { text.append(view(part)); };
      const int32_t code = collect<TextSinkOf>(take, [&](const attune_text_sink* sink) {
        return opened.table->document(opened.table->self, str(name), sink);
      });
      if (code == ATTUNE_E_NOT_FOUND) continue;
      opened.failure.check(code, file.string() + ": document " + std::string(name), Exit::kData);
      return text;
    }
    return "";
  }

  std::string digest() override {
    if (!digest_.empty()) return digest_;
    Sha256 digest;
    for (const fs::path& file : layout_.files) {
      digest.add_sized(file.filename().string()).add(sha256_file(file));
    }
    digest.add_sized(document("config.json"));
    return digest_ = digest.hex();
  }

 private:
  const WeightsFile& open(const fs::path& file) const {
    auto& slot = open_[file.string()];
    if (!slot) {
      if (!fs::exists(file)) {
        throw ExitError(Exit::kData, file.string() + ": is named by the index of " +
                                         path_.string() +
                                         " but is missing; fetch the checkpoint again");
      }
      slot = std::make_unique<WeightsFile>(formats_.open(file.string()));
    }
    return *slot;
  }

  /// Descriptions of every tensor, once.
  void describe() const {
    if (!layout_.missing.empty()) throw ExitError(Exit::kData, layout_.missing);
    if (described_) return;
    for (const fs::path& file : layout_.files) {
      const WeightsFile& opened = open(file);
      const auto take = [&](const attune_tensor* tensor) { keep(*tensor, file); };
      opened.failure.check(collect<TensorSinkOf>(take,
                                                 [&](const attune_tensor_sink* sink) {
                                                   return opened.table->list(opened.table->self,
                                                                             sink);
                                                 }),
                           file.string() + ": listing tensors", Exit::kData);
    }
    for (const auto& [tensor, file] : layout_.file_of) {
      if (!home_.contains(tensor)) {
        throw ExitError(Exit::kData,
                        (path_ / file).string() + ": has no tensor \"" + tensor +
                            "\" although the index says so; fetch the checkpoint again");
      }
    }
    described_ = true;
  }

  void keep(const attune_tensor& tensor, const fs::path& file) const {
    const std::string& name = names_.emplace_back(view(tensor.name));
    const auto index = layout_.file_of.find(name);
    if (!layout_.file_of.empty() &&
        (index == layout_.file_of.end() || index->second != file.filename().string())) {
      return;  // The index decides which file a tensor is read from.
    }
    if (!home_.emplace(name, file.string()).second) {
      throw ExitError(Exit::kData, path_.string() + ": has tensor \"" + name + "\" twice");
    }
    const auto& shape = shapes_.emplace_back(tensor.shape, tensor.shape + tensor.n_dims);
    tensors_.push_back({str(name), tensor.dtype, tensor.n_dims, shape.data(), {nullptr, 0}});
  }

  fs::path path_;
  WeightsFormats formats_;
  Layout layout_;
  std::string digest_;
  // Opening a file is invisible to the caller.
  mutable std::map<std::string, std::unique_ptr<WeightsFile>> open_;
  mutable std::deque<std::string> names_;
  mutable std::deque<std::vector<int64_t>> shapes_;
  mutable std::vector<attune_tensor> tensors_;
  mutable std::map<std::string, std::string, std::less<>> home_;
  mutable bool described_ = false;
};

}  // namespace

std::unique_ptr<Checkpoint> open_checkpoint(const std::string& path, WeightsFormats formats) {
  return std::make_unique<FolderCheckpoint>(path, std::move(formats));
}

}  // namespace attune
