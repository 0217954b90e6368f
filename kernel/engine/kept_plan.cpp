// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/kept_plan.h"

#include <filesystem>

#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

struct Kept {
  StepPlan::Known plan;
  std::string dropped;  ///< samples that were dropped on the way, as JSON
  std::string seal() const {
    const auto bytes = [](const std::vector<int64_t>& numbers) {
      return std::string_view(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(int64_t));
    };
    return Sha256().add_sized(bytes(plan.ends)).add_sized(bytes(plan.mixture)).add_sized(dropped).hex();
  }
};

bool counts_tokens(const Json& run) {
  const Json& train = run.at("train");
  return train.value("tokens_per_step", int64_t(0)) > 0 || train.value("tokens", int64_t(0)) > 0 ||
         run.at("data").value("mix", "samples") == "tokens";
}

std::optional<Kept> read(const fs::path& path, HostServices& host) {
  if (!fs::exists(path)) return std::nullopt;
  Kept kept;
  std::string seal;
  try {
    const auto file = host.checkpoint(path.string());
    const auto numbers = [&](const char* name, std::vector<int64_t>& into) {
      file->read(name, [&](const attune_tensor& t) {
        const auto* data = static_cast<const int64_t*>(t.data.data);
        into.assign(data, data + t.shape[0]);
      });
    };
    const auto text = [&](const char* name, std::string& into) {
      file->read(name, [&](const attune_tensor& t) { into.assign(static_cast<const char*>(t.data.data), t.data.size); });
    };
    numbers("ends", kept.plan.ends), numbers("mixture", kept.plan.mixture);
    text("dropped", kept.dropped), text("seal", seal);
  } catch (const Error& error) {
    host.log(ATTUNE_LOG_WARN, path.string() + " is damaged and made anew: " + error.what());
    return std::nullopt;
  }
  return seal == kept.seal() ? std::optional(std::move(kept)) : std::nullopt;
}

void write(const fs::path& path, const Kept& kept, HostServices& host) {
  const std::string seal = kept.seal();
  const auto numbers = [](const char* name, const std::vector<int64_t>& of, const int64_t& n) -> attune_tensor {
    return {str(name), ATTUNE_I64, 1, &n, {of.data(), of.size() * sizeof(int64_t)}};
  };
  const auto text = [](const char* name, const std::string& of, const int64_t& n) -> attune_tensor {
    return {str(name), ATTUNE_U8, 1, &n, {of.data(), of.size()}};
  };
  const int64_t sizes[] = {int64_t(kept.plan.ends.size()), int64_t(kept.plan.mixture.size()), int64_t(kept.dropped.size()), int64_t(seal.size())};
  const attune_tensor tensors[] = {numbers("ends", kept.plan.ends, sizes[0]), numbers("mixture", kept.plan.mixture, sizes[1]),
                                   text("dropped", kept.dropped, sizes[2]), text("seal", seal, sizes[3])};
  fs::create_directories(path.parent_path());
  host.write_tensors(path.string(), tensors, Json::object());
}

}  // namespace

std::unique_ptr<StepPlan> make_plan(const Json& run, TrainingData& data, const std::string& folder,
                                    const std::string& run_digest, HostServices& host) {
  const auto tokens_of = [&data](int64_t index) {
    const auto sample = data.at(index);
    return sample ? int64_t(sample->ids.size()) : 0;
  };
  const bool tokens = !folder.empty() && counts_tokens(run);
  const fs::path path = fs::path(folder) / "index" / ("plan-" + run_digest.substr(0, 16) + ".safetensors");
  const std::optional<Kept> kept = tokens ? read(path, host) : std::nullopt;
  auto plan = std::make_unique<StepPlan>(run.at("train"), run.at("data"), run.at("run").at("seed"), data.sizes(), tokens_of,
                                         kept ? std::optional(kept->plan) : std::nullopt);
  if (kept) data.restore_dropped(Json::parse(kept->dropped));
  else if (tokens) write(path, {plan->known(), data.dropped_samples().dump(-1, ' ', false, Json::error_handler_t::replace)}, host);
  return plan;
}

}  // namespace attune
