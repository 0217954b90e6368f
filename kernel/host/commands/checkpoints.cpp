// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>

#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/run/layout.h"
#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

struct Found {
  fs::path path;
  int64_t bytes = 0;
  std::string fault;  ///< empty: what its digest says it holds
};

std::string fault_of(const fs::path& folder) {
  const fs::path state = folder / "state.json", tensors = folder / "state.safetensors";
  if (!fs::exists(state) || !fs::exists(tensors)) return "a file is missing";
  const Json json = Json::parse(read_text(state), nullptr, false);
  if (!json.is_object() || !json.contains("sha256")) return "state.json is damaged";
  return sha256_file(tensors) == json["sha256"].get<std::string>()
             ? ""
             : "state.safetensors has other bytes than when it was written";
}

/// Oldest first.
std::vector<Found> checkpoints_of(const Arguments& arguments) {
  const fs::path folder = fs::path(*arguments.text("RUN")) / "checkpoints";
  if (!fs::is_directory(folder))
    throw ExitError(Exit::kUsage, *arguments.text("RUN") + ": has no checkpoints");
  std::vector<Found> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with("step-") ||
        entry.path().extension() == ".part")
      continue;
    Found& one = found.emplace_back(Found{entry.path()});
    for (const fs::directory_entry& file : fs::directory_iterator(entry.path()))
      one.bytes += int64_t(file.file_size());
    one.fault = fault_of(entry.path());
  }
  std::sort(found.begin(), found.end(),
            [](const Found& a, const Found& b) { return a.path < b.path; });
  return found;
}

int list(const Arguments& arguments, Context& context) {
  TextTable table({"checkpoint", "size", "state"});
  for (const Found& one : checkpoints_of(arguments))
    table.add({one.path.filename().string(), bytes_text(one.bytes),
               one.fault.empty() ? "whole" : one.fault});
  context.console.out << (table.empty() ? "there is no checkpoint\n" : table.text());
  return 0;
}

int verify(const Arguments& arguments, Context& context) {
  std::string faults;
  size_t whole = 0;
  for (const Found& one : checkpoints_of(arguments)) {
    whole += one.fault.empty();
    if (!one.fault.empty()) faults += "\n  " + one.path.string() + ": " + one.fault;
  }
  if (!faults.empty())
    throw ExitError(
        Exit::kData,
        "damaged checkpoints:" + faults +
            "\n  = help: a run passes over them; remove them with attune checkpoints prune");
  context.console.out << whole
                      << (whole == 1 ? " checkpoint is whole\n" : " checkpoints are whole\n");
  return 0;
}

int prune(const Arguments& arguments, Context& context) {
  const int64_t keep = arguments.integer("keep", 1, 1);
  int64_t kept = 0, freed = 0;
  std::vector<Found> found = checkpoints_of(arguments);
  for (auto one = found.rbegin(); one != found.rend(); ++one) {
    if (one->fault.empty() && kept < keep) {
      ++kept;
      continue;
    }
    // Under a name that no run takes for a checkpoint, so that a killed prune leaves none in
    // halves.
    const fs::path going = one->path.string() + ".part";
    fs::rename(one->path, going);
    fs::remove_all(going);
    freed += one->bytes;
    context.console.out << "removed " << one->path.filename().string()
                        << (one->fault.empty() ? "" : " (" + one->fault + ")") << "\n";
  }
  context.console.out << kept << " kept, " << bytes_text(freed) << " freed\n";
  return 0;
}

}  // namespace

Command checkpoints_list_command() {
  return {{"checkpoints list",
           "Checkpoints of a run, and whether they are whole",
           "attune checkpoints list runs/dpo",
           {{"RUN", "The run's folder"}},
           {}},
          &list};
}

Command checkpoints_verify_command() {
  return {{"checkpoints verify",
           "Prove that every checkpoint holds the bytes that were written",
           "attune checkpoints verify runs/dpo",
           {{"RUN", "The run's folder"}},
           {}},
          &verify};
}

Command checkpoints_prune_command() {
  return {{"checkpoints prune",
           "Remove damaged checkpoints and all but the newest whole ones",
           "attune checkpoints prune runs/dpo --keep 2",
           {{"RUN", "The run's folder"}},
           {{"keep", "N", "Whole checkpoints to keep (default 1)"}}},
          &prune};
}

}  // namespace attune
