// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/checkpoint_folder.h"

#include <algorithm>
#include <charconv>

#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";

/// -1: it is not the name of a checkpoint.
int64_t step_of(const std::string& name) {
  int64_t step = -1;
  if (!name.starts_with(kPrefix)) return -1;
  const char* const end = name.data() + name.size();
  const auto [at, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  return error == std::errc() && at == end ? step : -1;
}

}  // namespace

std::string checkpoint_name(int64_t step) {
  const std::string digits = std::to_string(step);
  return std::string(kPrefix) + std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') +
         digits;
}

std::vector<CheckpointEntry> checkpoints_in(const fs::path& folder) {
  std::vector<CheckpointEntry> found;
  if (!fs::is_directory(folder)) return found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const int64_t step = step_of(entry.path().filename().string());
    if (step < 0 || !entry.is_directory()) continue;
    const fs::path state = entry.path() / "state.json";
    found.push_back({entry.path(), step, fs::exists(state) ? unsealed(read_text(state)) : Json()});
  }
  std::ranges::sort(found, {}, &CheckpointEntry::step);
  return found;
}

std::string fault_of(const CheckpointEntry& entry) {
  const fs::path tensors = entry.path / "state.safetensors";
  if (!fs::exists(entry.path / "state.json") || !fs::exists(tensors)) return "a file is missing";
  if (!entry.document.is_object()) return "state.json has other contents than were written";
  return sha256_now(tensors) == entry.document.value("sha256", "")
             ? ""
             : "state.safetensors has other bytes than when it was written";
}

void remove_checkpoint(const fs::path& path) {
  const fs::path going = path.parent_path() / (".removing-" + path.filename().string());
  fs::rename(path, going);
  fs::remove_all(going);
}

void remove_leftovers(const fs::path& folder) {
  if (!fs::is_directory(folder)) return;
  std::vector<fs::path> left;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".staging-") || name.starts_with(".removing-"))
      left.push_back(entry.path());
  }
  for (const fs::path& path : left) fs::remove_all(path);
}

Retention Retention::from(const Json& table) {
  return {.keep = table.value("keep", int64_t{2}),
          .keep_every = table.value("keep_every", int64_t{0}),
          .keep_best = table.value("keep_best", int64_t{0}),
          .best = table.value("best", ""),
          .highest = table.value("best_is", "lowest") == "highest"};
}

std::map<int64_t, std::string> Retention::reasons(
    const std::vector<CheckpointEntry>& entries) const {
  std::map<int64_t, std::string> why;
  std::vector<std::pair<double, int64_t>> ranked;  // Best first; of equals the older one.
  for (const CheckpointEntry& entry : entries) {
    if (!entry.document.is_object()) continue;
    const Json value = entry.document.value("metrics", Json::object()).value(best, Json());
    if (value.is_number())
      ranked.emplace_back(highest ? -value.get<double>() : value.get<double>(), entry.step);
  }
  std::ranges::sort(ranked);
  for (size_t i = 0; i < std::min(ranked.size(), size_t(keep_best)); ++i)
    why[ranked[i].second] = "best " + best;
  for (const CheckpointEntry& entry : entries) {
    if (entry.document.is_object() && keep_every > 0 && entry.step % keep_every == 0)
      why[entry.step] = "every " + std::to_string(keep_every);
  }
  int64_t newest = 0;
  for (auto entry = entries.rbegin(); entry != entries.rend() && newest < keep; ++entry) {
    if (entry->document.is_object()) why.try_emplace(entry->step, "newest"), ++newest;
  }
  return why;
}

}  // namespace attune
