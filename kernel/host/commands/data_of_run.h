// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel/host/commands/command.h"

namespace attune {

/// The data that a command on data is about.
struct DataOfRun {
  Json run;               ///< of a pipeline the named stage, else the first that trains
  Json entries;           ///< of the split; of a run that does not train, what it asks or judges
  std::string tokenizer;  ///< its folder
};

/// Reads --split and --stage. Throws ExitError(kUsage) where there is no such stage or split.
DataOfRun data_of_run_in(const CheckedRun& checked, const Arguments& arguments);

/// The options of a manifest, --split and --stage.
std::vector<OptionSpec> data_options();

}  // namespace attune
