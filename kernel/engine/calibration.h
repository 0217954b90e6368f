// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernel/engine/probe.h"
#include "kernel/host/engine_api.h"

namespace attune {

/// Seconds of a layer as a function of its rows and of the pairs that attend to each other.
struct LayerClock {
  std::vector<double> rows, forward, training;     ///< in short stretches
  double pair_forward = 0, pair_training = 0;

  double of(double rows_N, double pairs, bool trained) const;
};

/// What this machine needs for a model's parts, measured once and kept in <cache folder>/calibration.json under what it
/// depends on: CPU, threads, LibTorch, model, dtype, what is trained.
struct Calibration {
  std::map<std::string, LayerClock> layers;         ///< by layer_key()
  double head_forward = 0, head_training = 0;       ///< seconds of a scored row and an entry of the vocabulary
  double parameter = 0;                             ///< seconds of the optimizer for one
  double stored = 0;                                ///< seconds to write a byte to disk, with its digest
  double touched = 0;                               ///< seconds to fill a byte of new memory

  static std::string layer_key(int64_t kind, bool again) { return std::to_string(kind) + (again ? " again" : ""); }
};

/// `about`: what the measurements depend on besides the machine. Nothing where there are none and none may be made.
std::optional<Calibration> calibration_of(Model& model, const Json& about, const Json& optimizer, bool head_trained, Calibrate calibrate,
                                          HostServices& host);

}  // namespace attune
