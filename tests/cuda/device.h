// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace attune::testing {

/// Whether the machine has a device. Where it has none, one test of each program here is skipped, and the others are not listed.
inline bool has_cuda() { return std::filesystem::exists("/dev/nvidiactl"); }

/// `names` where there is a device, else none.
inline std::vector<std::string> on_cuda(std::vector<std::string> names) { return has_cuda() ? names : std::vector<std::string>(); }

}  // namespace attune::testing
