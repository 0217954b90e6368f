// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>

#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/manifest/nearest.h"
#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"
#include "kernel/host/services/services.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

/// Folders with a finished model below a pipeline's folder.
std::vector<std::string> finals_below(const fs::path& folder) {
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (fs::exists(entry.path() / "final" / "config.json")) found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

fs::path source_of(const fs::path& run, const std::string& checkpoint) {
  if (!fs::is_directory(run))
    throw ExitError(Exit::kUsage, run.string() + ": there is no such run folder");
  if (!checkpoint.empty()) {
    const fs::path named = run / "checkpoints" / checkpoint;
    if (fs::is_directory(named)) return named;
    std::vector<std::string> there;
    if (fs::is_directory(run / "checkpoints")) {
      for (const fs::directory_entry& entry : fs::directory_iterator(run / "checkpoints"))
        there.push_back(entry.path().filename().string());
    }
    std::sort(there.begin(), there.end());
    throw ExitError(Exit::kUsage, run.string() + ": has no checkpoint \"" + checkpoint +
                                      "\"; it has: " + (there.empty() ? "none" : join(there)));
  }
  if (fs::exists(run / "final" / "config.json")) return run / "final";
  if (fs::exists(run / "config.json")) return run;
  const auto finals = finals_below(run);
  if (finals.size() == 1) return fs::path(finals[0]) / "final";
  throw ExitError(
      Exit::kUsage,
      run.string() + (finals.empty()
                          ? ": has no finished model; name one of its checkpoints with --checkpoint"
                          : ": has several models; name one stage: " + join(finals)));
}

/// Copies each file and proves that the copy has the same bytes.
void copy_verified(const fs::path& from, const fs::path& to) {
  for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
    if (!entry.is_regular_file()) continue;
    const fs::path copy = to / entry.path().filename();
    fs::copy_file(entry.path(), copy);
    if (sha256_file(entry.path()) != sha256_file(copy)) {
      throw ExitError(Exit::kRunFailed, copy.string() + ": the copy differs from " +
                                            entry.path().string() + "; is the disk sound?");
    }
  }
}

int run(const Arguments& arguments, Context& context) {
  const auto installation = installation_for(arguments, context);
  Services services(*installation, context.console);
  const std::string out = *arguments.text("OUT"), checkpoint = arguments.text("checkpoint", "");
  const fs::path from = source_of(*arguments.text("RUN"), checkpoint);
  const auto dtype = arguments.text("dtype");
  if (dtype || !checkpoint.empty()) {
    if (fs::exists(out))
      throw ExitError(Exit::kUsage, out + " exists already; it is never overwritten");
    installation->engine().convert(from.string(), out, dtype.value_or("float32"), services);
  } else {
    StagedFolder staged(out);
    copy_verified(from, staged.path());
    services.checkpoint(staged.path().string())
        ->tensors();  // Proves that every file of tensors is whole.
    staged.publish();
  }
  context.console.out << out << ": exported from " << from.string() << ", "
                      << services.checkpoint(out)->tensors().size() << " tensors, sha256 "
                      << services.checkpoint(out)->digest() << "\n";
  return 0;
}

}  // namespace

Command export_command() {
  return {
      {"export",
       "Write a Hugging Face folder from a run",
       "attune export runs/quickstart/dpo models/aligned",
       {{"RUN", "A run's folder, or a stage's"}, {"OUT", "The folder to write; it must not exist"}},
       {{"checkpoint", "NAME",
         "A checkpoint instead of the finished model, for example step-000100"},
        {"dtype", "TYPE", "Convert to float32 or bfloat16"},
        plugin_path_option()}},
      &run};
}

}  // namespace attune
