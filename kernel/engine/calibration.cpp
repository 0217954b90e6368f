// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/calibration.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>

#include "kernel/engine/optimizer.h"
#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kFormat = 1;              // Of what is kept; another's is measured again.
constexpr int64_t kShort = 64;          // Rows of a short stretch.
constexpr double kOperations = 4e10;    // Of the largest measurement: well under a second of two cores.

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

LayerClock clock_of(Model& model, int64_t index, bool again) {
  const ModelShape shape = model.shape();
  const double per_row = 6 * double(shape.block_parameters) / double(std::max<int64_t>(1, shape.layers));
  const auto most = std::clamp<int64_t>(int64_t(kOperations / per_row) / kShort * kShort, 2 * kShort, 16 * kShort);
  LayerClock clock;
  for (int64_t rows = kShort; rows <= most; rows *= rows * 4 <= most ? 4 : 2) {
    const LayerTime time = time_layer(model, index, again, rows, kShort);
    clock.rows.push_back(double(rows));
    clock.forward.push_back(time.forward), clock.training.push_back(time.training);
  }
  const auto rows = int64_t(clock.rows.back());
  const LayerTime whole = time_layer(model, index, again, rows, rows);
  const double pairs = double(rows) * double(rows - kShort) / 2;
  clock.pair_forward = std::max(0.0, whole.forward - clock.forward.back()) / pairs;
  clock.pair_training = std::max(0.0, whole.training - clock.training.back()) / pairs;
  return clock;
}

/// Seconds of an optimizer step for one parameter.
double optimizer_time(Json options) {
  constexpr int64_t kParameters = 8 << 20;
  Parameter parameter{"x", at::zeros({kParameters / 1024, 1024}).set_requires_grad(true), true};
  parameter.adapter = std::make_shared<Adapter>();  // A hidden matrix.
  options["in_backward"] = false;
  Optimizer optimizer({parameter}, options);
  double least = 1e300;
  for (int i = 0; i < 4; ++i) {
    parameter.tensor.mutable_grad() = at::ones_like(parameter.tensor);
    optimizer.accumulate();
    const auto start = Clock::now();
    optimizer.step(1e-3, 1, 1);
    if (i > 0) least = std::min(least, seconds_since(start));
  }
  return least / double(kParameters);
}

/// Seconds to write a byte, with its digest.
double disk_time(const fs::path& folder) {
  const std::string piece(256 << 20, 'x'), path = (folder / ("written-" + std::to_string(::getpid()))).string();
  fs::create_directories(folder);
  const auto start = Clock::now();
  write_atomically(path, piece);
  const double seconds = seconds_since(start);
  fs::remove(path);
  return seconds / double(piece.size());
}

double touch_time() {
  constexpr int64_t kElements = 32 << 20;
  const auto start = Clock::now();
  at::empty({kElements}, at::kFloat).fill_(1);
  return seconds_since(start) / double(4 * kElements);
}

Json json_of(const Calibration& of) {
  Json layers = Json::object();
  for (const auto& [key, clock] : of.layers) {
    layers[key] = {{"rows", clock.rows}, {"forward", clock.forward}, {"training", clock.training},
                   {"pair_forward", clock.pair_forward}, {"pair_training", clock.pair_training}};
  }
  return {{"format", kFormat}, {"layers", layers}, {"head_forward", of.head_forward}, {"head_training", of.head_training}, {"parameter", of.parameter},
          {"stored", of.stored}, {"touched", of.touched}};
}

Calibration calibration_from(const Json& json) {
  Calibration made{{}, json.at("head_forward"), json.at("head_training"), json.at("parameter"), json.at("stored"), json.at("touched")};
  for (const auto& [key, clock] : json.at("layers").items()) {
    made.layers[key] = {clock.at("rows"), clock.at("forward"), clock.at("training"), clock.at("pair_forward"), clock.at("pair_training")};
  }
  return made;
}

/// What the file holds; an object without members where it is not there, or is of another make.
Json read(const fs::path& file) {
  std::ifstream in(file);
  const Json known = Json::parse(in, nullptr, false);
  return known.is_object() ? known : Json::object();
}

Calibration measure(Model& model, const Json& optimizer, bool head_trained, const fs::path& folder) {
  constexpr int64_t kRows = 256;
  Calibration made;
  const ModelShape shape = model.shape();
  std::set<int64_t> seen;
  for (size_t i = 0; i < shape.kinds.size(); ++i) {
    if (!seen.insert(shape.kinds[i]).second) continue;
    for (const bool again : {false, true}) made.layers[Calibration::layer_key(shape.kinds[i], again)] = clock_of(model, int64_t(i), again);
  }
  const int64_t vocabulary = std::min<int64_t>(shape.vocabulary, 8192);
  const LayerTime head = time_head(model, head_trained, kRows, vocabulary);
  made.head_forward = head.forward / double(kRows * vocabulary), made.head_training = head.training / double(kRows * vocabulary);
  made.parameter = optimizer_time(optimizer);
  made.stored = disk_time(folder);
  made.touched = touch_time();
  return made;
}

}  // namespace

double LayerClock::of(double n, double pairs, bool trained) const {
  const std::vector<double>& seconds = trained ? training : forward;
  const double beyond = std::max(0.0, pairs - n * double(kShort + 1) / 2) * (trained ? pair_training : pair_forward);
  if (n <= rows.front() || rows.size() == 1) return seconds.front() * n / rows.front() + beyond;
  size_t i = 1;
  while (i + 1 < rows.size() && rows[i] < n) ++i;
  const double slope = (seconds[i] - seconds[i - 1]) / (rows[i] - rows[i - 1]);
  return seconds[i] + slope * (n - rows[i]) + beyond;
}

std::optional<Calibration> calibration_of(Model& model, const Json& about, const Json& optimizer, bool head_trained, Calibrate calibrate,
                                          HostServices& host) {
  const Json machine = host.machine();
  const fs::path folder = machine.value("cache", "");
  const fs::path file = folder / "calibration.json";
  const std::string key =
      sha256(Json{machine.value("cpu", ""), at::get_num_threads(), TORCH_VERSION, about,
                  optimizer.value("use", "") + optimizer.value("states", "") + optimizer.value("newton_schulz", ""), head_trained}.dump());
  Json known = folder.empty() ? Json::object() : read(file);
  const bool there = known.value(key, Json::object()).value("format", 0) == kFormat;
  if (calibrate != Calibrate::kAgain && there) return calibration_from(known[key]);
  if (calibrate == Calibrate::kNever) return std::nullopt;
  host.log(ATTUNE_LOG_INFO, "measuring what this machine needs for the model's parts, once");
  const Calibration made = measure(model, optimizer, head_trained, folder.empty() ? fs::temp_directory_path() : folder);
  if (!folder.empty()) {
    fs::create_directories(folder);
    known[key] = json_of(made);
    write_atomically(file, known.dump() + "\n");
  }
  return made;
}

}  // namespace attune
