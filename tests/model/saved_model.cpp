// SPDX-License-Identifier: Apache-2.0
#include "tests/model/saved_model.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "nn/likelihood.h"

namespace attune::testing {
namespace {

// Work this small is slower on many threads, and much slower where other tests run beside it.
const bool kOneThread = (at::set_num_threads(1), true);

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

std::map<std::string, at::Tensor> read_safetensors(const std::string& path) {
  const std::string bytes = read_file(path);
  uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data(), sizeof header_size);
  const Json header = Json::parse(bytes.substr(8, header_size));
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, about] : header.items()) {
    if (name == "__metadata__") continue;
    const at::Tensor tensor = at::empty(about["shape"].get<std::vector<int64_t>>(), at::kFloat);
    std::memcpy(tensor.data_ptr(),
                bytes.data() + 8 + header_size + about["data_offsets"][0].get<size_t>(),
                tensor.nbytes());
    tensors[name] = tensor;
  }
  return tensors;
}

SavedLlama::SavedLlama(const std::string& folder, const std::string& config)
    : plugin_("llama", "model/1", "llama", {{"config", read_json(folder + "/" + config)}}) {
  auto tensors = read_safetensors(folder + "/model.safetensors");
  for (Parameter& parameter : (*this)->parameters()) {
    const auto found = tensors.find(parameter.name);
    if (found == tensors.end()) throw std::runtime_error("the checkpoint has no " + parameter.name);
    if (parameter.tensor.sizes() != found->second.sizes())
      throw std::runtime_error("shape of " + parameter.name);
    parameter.tensor.set_data(found->second);
    tensors.erase(found);
  }
  for (const auto& [name, tensor] : tensors) {
    if (!(*this)->ignores(name)) throw std::runtime_error("the model does not know " + name);
  }
}

void SavedLlama::require_gradients() {
  for (Parameter& parameter : (*this)->parameters()) parameter.tensor.requires_grad_();
}

void SavedLlama::clear_gradients() {
  for (Parameter& parameter : (*this)->parameters()) parameter.tensor.mutable_grad() = at::Tensor();
}

std::map<std::string, at::Tensor> SavedLlama::gradients() {
  std::map<std::string, at::Tensor> made;
  for (Parameter& parameter : (*this)->parameters()) made[parameter.name] = parameter.tensor.grad();
  return made;
}

std::string reference_folder() {
  return std::string(ATTUNE_SOURCE_DIR) + "/tests/reference/llama/data";
}

std::vector<std::string> reference_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(reference_folder()))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

Json read_json(const std::string& path) { return Json::parse(read_file(path)); }

Batch pack(const std::vector<std::vector<int64_t>>& rows) {
  std::vector<int64_t> ids, positions;
  Batch batch;
  for (const auto& row : rows) {
    batch.segments.push_back(
        {static_cast<int64_t>(ids.size()), static_cast<int64_t>(ids.size() + row.size()), {}, -1});
    for (size_t i = 0; i < row.size(); ++i) positions.push_back(static_cast<int64_t>(i));
    ids.insert(ids.end(), row.begin(), row.end());
  }
  batch.ids_N = at::tensor(ids, at::kLong);
  batch.positions_AN = at::tensor(positions, at::kLong).unsqueeze(0);
  return batch;
}

Batch share(const std::vector<std::vector<int64_t>>& rows) {
  Batch batch = pack(rows);
  const auto prompt = static_cast<int64_t>(rows[0].size());
  for (size_t s = 1; s < rows.size(); ++s) batch.segments[s].context = {{0, prompt}};
  batch.positions_AN.narrow(1, prompt, batch.positions_AN.size(1) - prompt).add_(prompt);
  return batch;
}

at::Tensor next_logprobs(Model& model, const at::Tensor& hidden_ND,
                         const std::vector<int64_t>& ids) {
  const auto n = static_cast<int64_t>(ids.size()) - 1;
  return nn::log_likelihood(hidden_ND.slice(0, 0, n), at::tensor(ids, at::kLong).slice(0, 1),
                            model.head(0));
}

::testing::AssertionResult close(const at::Tensor& a, const at::Tensor& b, double tolerance) {
  if (!a.defined() || !b.defined()) return ::testing::AssertionFailure() << "one is undefined";
  if (a.sizes() != b.sizes())
    return ::testing::AssertionFailure() << a.sizes() << " against " << b.sizes();
  if (a.numel() == 0) return ::testing::AssertionSuccess();
  const auto wide_a = a.detach().to(at::kDouble), wide_b = b.detach().to(at::kDouble);
  const double difference = (wide_a - wide_b).abs().max().item<double>();
  const double limit = tolerance * std::max(1.0, wide_b.abs().max().item<double>());
  if (difference <= limit) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "differ by " << difference << ", more than " << limit;
}

}  // namespace attune::testing
