// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <future>
#include <optional>
#include <string>
#include <vector>

#include "kernel/engine/state_tree.h"
#include "kernel/host/engine_api.h"
#include "kernel/host/run/checkpoint_folder.h"

namespace attune {

/// Checkpoints of one run. One is written under a staging name, hashed while it is written, synced
/// and renamed, so that it is there whole or not at all.
///
/// Rationale: a save in the background copies the state first, so training waits for that copy
/// alone. The price is memory for the copy, kept from one save to the next.
class CheckpointStore {
 public:
  /// `run_digest` names what is trained; a checkpoint of another run is refused.
  /// `policy` is the table train.checkpoint.
  CheckpointStore(std::string folder, std::string run_digest, const Json& policy,
                  HostServices& host);
  /// Waits for the writer.
  ~CheckpointStore();
  CheckpointStore(const CheckpointStore&) = delete;
  CheckpointStore& operator=(const CheckpointStore&) = delete;

  enum class When { kNow, kInBackground };
  /// `metrics` of the step are kept beside the state, to tell the best checkpoints. Throws Error with the bytes needed and free where the disk is too full; older checkpoints stay.
  /// Waits for the checkpoint before.
  void save(int64_t step, const StateTree& state, const Json& metrics, When when);
  /// Throws what the writer threw, if it has ended.
  void check();
  /// Waits for the writer, and throws what it threw.
  void wait();

  struct Found {
    int64_t step;
    std::string path;
    Json numbers, metrics;
  };
  /// The newest checkpoint whose contents match their digests; damaged ones are named in the log and
  /// passed over.
  std::optional<Found> newest() const;
  /// Copies a checkpoint into `state`, bit for bit. Throws Error where the two differ in a name, a
  /// shape or a type.
  void load(const Found& found, const StateTree& state) const;

 private:
  NamedTensors snapshot(const NamedTensors& tensors);
  void write(int64_t step, const NamedTensors& tensors, Json document) const;
  void retire(int64_t step) const;

  std::string folder_, run_digest_;
  Json policy_;
  HostServices& host_;
  std::vector<at::Tensor> copies_;
  std::future<void> writer_;
};

/// Tensors as the contract describes them; the result borrows from `tensors` where they are
/// contiguous and on the CPU.
struct TensorViews {
  explicit TensorViews(const NamedTensors& tensors);
  std::vector<attune_tensor> views;
  std::vector<at::Tensor> held;
};

}  // namespace attune
