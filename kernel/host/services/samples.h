// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/host/engine_api.h"
#include "kernel/host/services/plugin_failure.h"

namespace attune {

/// Where samples come from and how many rows may be lost on the way.
struct SampleOptions {
  std::string path;          ///< as the manifest has it, for messages
  std::string mapping;       ///< what names the mapping in a digest: dataset, options, plugin
  int64_t limit = 0;         ///< rows to use; 0: all
  double max_dropped = 0.0;  ///< share of the rows that may fail to map
  bool stream = false;       ///< map a row when its turn comes, not before; a row is a sample
  std::filesystem::path index = {};  ///< folder for what was found out about many rows; empty: none
};

/// A row that did not map.
struct DroppedRow {
  std::string row;  ///< "rows.jsonl row 17", from 1
  std::string why;
};

/// A file of rows, open.
struct OpenFile {
  std::string path;
  Plugin<attune_reader> reader;
  PluginFailure failure;
};

struct SamplePlugins {
  std::vector<OpenFile> files;  ///< their rows are joined in order
  Plugin<attune_dataset> dataset;
  PluginFailure dataset_failure;
};

/// Maps every row once, to count samples and to find rows that do not map. More of them than
/// `max_dropped` allows is ExitError(kData) that names the first five; fewer are told to `dropped`.
/// A stream maps none: a row that then does not map, or not to one sample, is an Error of at().
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
