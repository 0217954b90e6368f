// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/checkpoint_store.h"

#include <ATen/ATen.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "kernel/engine/loaded_model.h"
#include "kernel/host/exit.h"
#include "kernel/host/services/durable_file.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace fs = std::filesystem;
namespace {

void require_space(const std::string& folder, const NamedTensors& tensors) {
  int64_t bytes = 1 << 20;
  for (const auto& [name, tensor] : tensors) bytes += int64_t(tensor.nbytes()) + 256;
  struct statvfs disk {};
  if (statvfs(folder.c_str(), &disk) != 0) return;
  const int64_t free = int64_t(disk.f_bavail) * int64_t(disk.f_frsize);
  if (free >= bytes) return;
  throw Error(folder + ": a checkpoint needs " + std::to_string(bytes >> 20) + " MiB, " +
                  std::to_string(free >> 20) +
                  " MiB are free; make room and run again, it resumes from the newest checkpoint",
              ATTUNE_E_IO);
}

/// The names that the safetensors format has for the types of state.
const char* type_name(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return "F32";
    case at::kDouble: return "F64";
    case at::kBFloat16: return "BF16";
    case at::kHalf: return "F16";
    case at::kLong: return "I64";
    case at::kInt: return "I32";
    case at::kShort: return "I16";
    case at::kChar: return "I8";
    case at::kByte: return "U8";
    case at::kBool: return "BOOL";
    default:
      throw Error(std::string("state of type ") + c10::toString(type) + " cannot be saved");
  }
}

/// Writes tensors in the safetensors layout: the length of a header, the header, the data. Returns
/// the file's SHA-256.
std::string write_state(const fs::path& path, const NamedTensors& tensors) {
  Json header = Json::object();
  int64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    header[name] = {{"dtype", type_name(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, offset + int64_t(tensor.nbytes())}}};
    offset += int64_t(tensor.nbytes());
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string length(8, '\0');
  for (size_t i = 0; i < length.size(); ++i) length[i] = char(text.size() >> (8 * i));
  DurableFile file(path);
  file.append(length + text);
  for (const auto& [name, tensor] : tensors)
    file.append({static_cast<const char*>(tensor.data_ptr()), size_t(tensor.nbytes())});
  return file.finish();
}

}  // namespace

TensorViews::TensorViews(const NamedTensors& tensors) {
  held.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor& kept = held.emplace_back(tensor.detach().to(at::kCPU).contiguous());
    views.push_back({str(name), attune_dtype(kept.scalar_type()), int32_t(kept.dim()),
                     kept.sizes().data(), {kept.data_ptr(), size_t(kept.nbytes())}});
  }
}

CheckpointStore::CheckpointStore(std::string folder, std::string run_digest, const Json& policy,
                                 HostServices& host)
    : folder_(std::move(folder)),
      run_digest_(std::move(run_digest)),
      policy_(policy),
      host_(host) {}

CheckpointStore::~CheckpointStore() {
  if (writer_.valid()) writer_.wait();
}

void CheckpointStore::check() {
  if (writer_.valid() && writer_.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
    writer_.get();
}

void CheckpointStore::wait() {
  if (writer_.valid()) writer_.get();
}

NamedTensors CheckpointStore::snapshot(const NamedTensors& tensors) {
  copies_.resize(tensors.size());
  NamedTensors made;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const at::Tensor from = tensors[i].second.detach();
    at::Tensor& copy = copies_[i];
    if (!copy.defined() || copy.sizes() != from.sizes() || copy.scalar_type() != from.scalar_type())
      copy = at::empty(from.sizes(), from.options().device(at::kCPU));
    copy.copy_(from);
    made.emplace_back(tensors[i].first, copy);
  }
  return made;
}

void CheckpointStore::save(int64_t step, const StateTree& state, const Json& metrics, When when) {
  wait();
  fs::create_directories(folder_);
  remove_leftovers(folder_);
  require_space(folder_, state.tensors());
  Json document = {{"step", step},
                   {"run", run_digest_},
                   {"numbers", state.numbers()},
                   {"metrics", metrics},
                   {"policy", policy_}};
  if (when == When::kInBackground) {
    writer_ = std::async(std::launch::async, [this, step, tensors = snapshot(state.tensors()),
                                              document = std::move(document)] {
      write(step, tensors, document);
    });
    return;
  }
  copies_.clear();
  NamedTensors tensors;
  for (const auto& [name, tensor] : state.tensors())
    tensors.emplace_back(name, tensor.detach().to(at::kCPU).contiguous());
  write(step, tensors, std::move(document));
}

void CheckpointStore::write(int64_t step, const NamedTensors& tensors, Json document) const {
  const fs::path staging = fs::path(folder_) / (".staging-" + checkpoint_name(step));
  fs::create_directories(staging);
  document["sha256"] = write_state(staging / "state.safetensors", tensors);
  DurableFile about(staging / "state.json");
  about.append(sealed(std::move(document)));
  about.finish();
  sync_path(staging);
  const fs::path final = fs::path(folder_) / checkpoint_name(step);
  if (fs::exists(final)) remove_checkpoint(final);
  fs::rename(staging, final);
  sync_path(folder_);
  retire(step);
}

/// Checkpoints of later steps were damaged, or this step would not have come again.
void CheckpointStore::retire(int64_t step) const {
  std::vector<CheckpointEntry> entries = checkpoints_in(folder_);
  const auto later = std::ranges::find_if(entries, [&](const auto& one) { return one.step > step; });
  for (auto one = later; one != entries.end(); ++one) remove_checkpoint(one->path);
  entries.erase(later, entries.end());
  const auto reasons = Retention::from(policy_).reasons(entries);
  for (const CheckpointEntry& entry : entries) {
    if (!reasons.contains(entry.step)) remove_checkpoint(entry.path);
  }
}

std::optional<CheckpointStore::Found> CheckpointStore::newest() const {
  const std::vector<CheckpointEntry> entries = checkpoints_in(folder_);
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (entry->document.is_object() && entry->document.value("run", "") != run_digest_) {
      throw Error(entry->path.string() + " belongs to a run with another manifest; give this run "
                  "another name, or remove " + fs::path(folder_).parent_path().string());
    }
    if (const std::string fault = fault_of(*entry); !fault.empty()) {
      host_.log(ATTUNE_LOG_WARN, entry->path.string() + " is damaged (" + fault + "); using an older one");
      continue;
    }
    return Found{entry->step, entry->path.string(), entry->document.at("numbers"),
                 entry->document.at("metrics")};
  }
  return std::nullopt;
}

void CheckpointStore::load(const Found& found, const StateTree& state) const {
  const at::NoGradGuard no_grad;
  const auto file = host_.checkpoint(found.path + "/state.safetensors");
  if (const size_t saved = file->tensors().size(); saved != state.tensors().size()) {
    throw Error(found.path + ": has " + std::to_string(saved) + " tensors, this run's state has " +
                std::to_string(state.tensors().size()) + "; it is another version's");
  }
  for (const auto& [name, tensor] : state.tensors()) {
    file->read(name, [&, target = tensor](const attune_tensor& read) mutable {
      const at::IntArrayRef shape(read.shape, size_t(read.n_dims));
      if (shape != target.sizes() || scalar_type(read.dtype) != target.scalar_type())
        throw Error(found.path + ": " + name + " has another shape or type than in this run");
      target.copy_(at::from_blob(const_cast<void*>(read.data.data), shape,
                                 at::TensorOptions(target.scalar_type())));
    });
  }
  state.restore(found.numbers);
}

}  // namespace attune
