// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernel/host/run/run_folder.h"

/// What is worth telling of a run, in words.
namespace attune {

struct Fact {
  std::string what, value;
};

/// In a few words: kind, algorithm, model, device.
std::vector<std::string> headline(const RunFolder& run);

/// What the manifest asks for: model, data, algorithm, optimizer, length.
std::vector<Fact> highlights(const RunFolder& run);

/// What the run came to, evaluations aside.
std::vector<Fact> results_of(const RunFolder& run);

/// Each evaluation's metrics: {"two_lines: match", "93.8 % (72-99)"}.
std::vector<Fact> evaluations_of(const RunFolder& run);

/// A prediction beside what was measured; `share` is measured / planned, 0 where one is missing.
struct Prediction {
  std::string what, planned, measured;
  double share = 0;
};
std::vector<Prediction> plan_and_measurement(const RunFolder& run);

/// The parts of the planned memory, in bytes.
std::vector<std::pair<std::string, double>> planned_memory(const RunFolder& run);

/// Machine, versions, digests, times.
std::vector<Fact> surroundings_of(const RunFolder& run);

}  // namespace attune
