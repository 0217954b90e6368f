// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/host/engine_api.h"
#include "kernel/host/services/plugin_failure.h"

namespace attune {

/// Where samples come from and how many rows may be lost on the way.
struct SampleOptions {
  std::string path;
  std::string mapping;       ///< what names the mapping in a digest: dataset, options, plugin
  int64_t limit = 0;         ///< rows to use; 0: all
  double max_dropped = 0.0;  ///< share of the rows that may fail to map
};

/// A row that did not map.
struct DroppedRow {
  int64_t record;  ///< from 1
  std::string why;
};

struct SamplePlugins {
  Plugin<attune_reader> reader;
  PluginFailure reader_failure;
  Plugin<attune_dataset> dataset;
  PluginFailure dataset_failure;
};

/// Maps every row once, to count samples and to find rows that do not map. More of them than
/// `max_dropped` allows is ExitError(kData) that names the first five; fewer are told to `dropped`.
std::unique_ptr<SampleSource> open_samples(
    SamplePlugins plugins, SampleOptions options,
    const std::function<void(const std::vector<DroppedRow>&)>& dropped);

/// Maps the first `rows` rows only: what is wrong with them, and how many samples they give.
struct FirstRows {
  int64_t rows = 0, samples = 0;
  std::vector<DroppedRow> dropped;
};
FirstRows map_first_rows(SamplePlugins& plugins, int64_t rows);

}  // namespace attune
