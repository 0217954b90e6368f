// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/stored_scores.h"

#include <unistd.h>

#include <algorithm>

#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace fs = std::filesystem;
namespace {

/// The digits of a digest that a name bears.
constexpr size_t kDigits = 16;

std::string digits_of(const fs::path& file) { return sha256_now(file).substr(0, kDigits); }

}  // namespace

std::optional<size_t> StoredScores::Part::find(int64_t index) const {
  const auto at = std::ranges::lower_bound(indices, index);
  return at != indices.end() && *at == index ? std::optional(size_t(at - indices.begin())) : std::nullopt;
}

StoredScores::StoredScores(fs::path folder, HostServices& host) : folder_(std::move(folder)), host_(host) {
  std::vector<std::string> names;
  if (fs::is_directory(folder_)) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(".safetensors") && !name.starts_with(".")) names.push_back(name);
    }
  }
  std::ranges::sort(names);
  for (const std::string& name : names) {
    const std::string stem = fs::path(name).stem().string();
    if (stem.size() > kDigits && stem.ends_with("-" + digits_of(folder_ / name))) open(name);
    else damaged_.push_back(name);
  }
}

const StoredScores::Part* StoredScores::part_of(int64_t index) const {
  const auto found = std::ranges::find_if(parts_, [&](const Part& part) { return part.find(index).has_value(); });
  return found == parts_.end() ? nullptr : &*found;
}

StoredScores::Size StoredScores::size() const {
  Size made;
  for (const Part& part : parts_) {
    made.samples += int64_t(part.indices.size());
    made.numbers += part.starts.back();
    made.bytes += int64_t(fs::file_size(folder_ / part.name));
  }
  return made;
}

void StoredScores::open(const std::string& name) {
  Part part{name, host_.checkpoint((folder_ / name).string()), {}, {}};
  const auto integers = [&](const char* of, std::vector<int64_t>& to) {
    part.file->read(of, [&](const attune_tensor& t) {
      const auto* data = static_cast<const int64_t*>(t.data.data);
      to.assign(data, data + t.shape[0]);
    });
  };
  integers("indices", part.indices);
  integers("starts", part.starts);
  parts_.push_back(std::move(part));
}

void StoredScores::add(const std::vector<int64_t>& indices, const std::vector<int64_t>& starts, const std::vector<float>& numbers) {
  const auto samples = int64_t(indices.size()), ends = int64_t(starts.size()), all = int64_t(numbers.size());
  const attune_tensor tensors[] = {{str("indices"), ATTUNE_I64, 1, &samples, {indices.data(), indices.size() * sizeof(int64_t)}},
                                   {str("starts"), ATTUNE_I64, 1, &ends, {starts.data(), starts.size() * sizeof(int64_t)}},
                                   {str("numbers"), ATTUNE_F32, 1, &all, {numbers.data(), numbers.size() * sizeof(float)}}};
  fs::create_directories(folder_);
  const fs::path staged = folder_ / (".staged-" + std::to_string(::getpid()) + ".safetensors");
  host_.write_tensors(staged.string(), tensors, Json::object());
  const std::string number = std::to_string(parts_.size() + 1);
  const std::string name = std::string(6 - std::min<size_t>(6, number.size()), '0') + number + "-" + digits_of(staged) + ".safetensors";
  fs::rename(staged, folder_ / name);
  sync_path(folder_);
  open(name);
}

}  // namespace attune
