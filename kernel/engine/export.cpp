// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/export.h"

#include <ATen/ATen.h>

#include <filesystem>

#include "kernel/engine/checkpoint_store.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace fs = std::filesystem;
namespace {

constexpr const char* kDocuments[] = {"generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
                                      "special_tokens_map.json"};

void write_folder(const std::string& folder, Json config, const NamedTensors& tensors, const Checkpoint& source,
                  const std::string& tokenizer, const std::string& dtype, HostServices& host, const std::string& padding = "") {
  const fs::path staging = folder + ".part";
  fs::remove_all(staging);
  fs::create_directories(staging);
  if (!dtype.empty()) {
    config.erase("torch_dtype");
    config["dtype"] = dtype;
  }
  write_atomically(staging / "config.json", config.dump(2) + "\n");
  for (const char* name : kDocuments) {
    std::string text = source.document(name);
    if (text.empty() && !tokenizer.empty()) text = host.checkpoint(tokenizer)->document(name);
    // Parsed where it must be alone: a tokenizer takes a second.
    if (const Json known = padding.empty() ? Json() : Json::parse(text, nullptr, false); known.is_object() && known.contains("pad_token")) {
      Json changed = known;
      changed["pad_token"] = known.value(padding + "_token", known["pad_token"]);
      text = changed.dump(2) + "\n";
    }
    if (!text.empty()) write_atomically(staging / name, text);
  }
  host.write_tensors((staging / "model.safetensors").string(), TensorViews(tensors).views, {{"format", "pt"}});
  sync_path(staging);
  fs::remove_all(folder);
  fs::rename(staging, folder);
  sync_path(fs::absolute(folder).parent_path());
}

std::string name_of(at::ScalarType type) { return type == at::kBFloat16 ? "bfloat16" : type == at::kHalf ? "float16" : "float32"; }

}  // namespace

void write_huggingface(const std::string& folder, const LoadedModel& loaded, HostServices& host) {
  NamedTensors tensors;
  for (const Parameter& parameter : loaded.parameters) tensors.emplace_back(parameter.name, parameter.tensor);
  write_folder(folder, loaded.config, tensors, *loaded.checkpoint, loaded.tokenizer_folder, name_of(loaded.dtype), host, loaded.padding);
}

void convert_checkpoint(const std::string& from, const std::string& to, const std::string& dtype, HostServices& host) {
  const auto source = host.checkpoint(from);
  const std::string config = source->document("config.json");
  if (config.empty()) throw Error(from + ": neither a Hugging Face folder nor a file that carries its configuration");
  if (fs::exists(to)) throw Error(to + " exists; remove it or choose another folder");
  NamedTensors tensors;
  for (const attune_tensor& described : source->tensors()) {
    source->read(view(described.name), [&](const attune_tensor& read) {
      const at::IntArrayRef shape(read.shape, size_t(read.n_dims));
      const at::Tensor tensor = at::from_blob(const_cast<void*>(read.data.data), shape, at::TensorOptions(scalar_type(read.dtype)));
      const bool convert = !dtype.empty() && at::isFloatingType(tensor.scalar_type());
      tensors.emplace_back(string(described.name), convert ? tensor.to(scalar_type(dtype), false, true) : tensor.clone());
    });
  }
  write_folder(to, Json::parse(config), tensors, *source, "", dtype, host);
}

}  // namespace attune
