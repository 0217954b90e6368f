// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace attune {

/// The files that a `path` of data names: the file itself; of a folder all below it that `takes`
/// takes, hidden ones left out; else what a pattern with *, ? or [...] finds. Sorted by name.
/// Throws ExitError(kData) where there is none.
std::vector<std::string> data_files(const std::string& path,
                                    const std::function<bool(const std::string&)>& takes);

/// What a pattern finds, sorted; empty for a path without *, ? and [.
std::vector<std::string> matching_files(const std::string& pattern);

}  // namespace attune
