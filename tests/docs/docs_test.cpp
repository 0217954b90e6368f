// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>

#include "faults/process.h"

namespace attune::testing {
namespace {

/// Lines of ```sh blocks that call attune.
std::vector<std::string> commands_in(const fs::path& page) {
  std::vector<std::string> commands;
  std::istringstream lines(read_file(page));
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) inside = line == "```sh";
    else if (inside && line.find("attune ") != line.npos) commands.push_back(line);
  }
  return commands;
}

TEST(Docs, EveryCommandShownRuns) {
  const fs::path source = ATTUNE_SOURCE_DIR;
  const TemporaryFolder folder;  // A stand-in for the root of the tree, so that runs land outside of it.
  for (const char* name : {"configs", "data"}) fs::copy(source / name, folder.path / name, fs::copy_options::recursive);
  std::vector<std::string> commands;
  for (const char* page : {"README.md", "docs/operators.md", "docs/plugins/README.md", "docs/datasets.md", "docs/sites.md"}) {
    const auto found = commands_in(source / page);
    commands.insert(commands.end(), found.begin(), found.end());
  }
  ASSERT_GE(commands.size(), 7u);

  for (const std::string& command : commands) {
    const std::string line = "cd '" + folder.path.string() + "' && PATH='" ATTUNE_BIN_DIR "':$PATH && { " + command + "; } >out.txt 2>&1";
    EXPECT_EQ(std::system(line.c_str()), 0) << command << "\n" << read_file(folder.path / "out.txt");
  }
}

}  // namespace
}  // namespace attune::testing
