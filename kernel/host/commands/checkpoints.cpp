// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/run/checkpoint_folder.h"
#include "kernel/host/run/layout.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

struct Proven {
  CheckpointEntry entry;
  int64_t bytes = 0;
  std::string fault;  ///< empty: it holds what was written
};

/// By step.
std::vector<Proven> checkpoints_of(const Arguments& arguments) {
  const fs::path folder = fs::path(*arguments.text("RUN")) / "checkpoints";
  if (!fs::is_directory(folder))
    throw ExitError(Exit::kUsage, *arguments.text("RUN") + ": has no checkpoints");
  std::vector<Proven> found;
  for (CheckpointEntry& entry : checkpoints_in(folder)) {
    Proven one;
    one.fault = fault_of(entry);
    for (const fs::directory_entry& file : fs::directory_iterator(entry.path))
      one.bytes += int64_t(file.file_size());
    one.entry = std::move(entry);
    found.push_back(std::move(one));
  }
  return found;
}

/// Why whole checkpoints stay, by the policy that the newest was written under.
std::map<int64_t, std::string> reasons_of(const std::vector<Proven>& all) {
  std::vector<CheckpointEntry> whole;
  for (const Proven& one : all) {
    if (one.fault.empty()) whole.push_back(one.entry);
  }
  if (whole.empty()) return {};
  return Retention::from(whole.back().document.value("policy", Json::object())).reasons(whole);
}

int list(const Arguments& arguments, Context& context) {
  TextTable table({"checkpoint", "size", "loss", "kept as", "state"});
  const std::vector<Proven> all = checkpoints_of(arguments);
  auto reasons = reasons_of(all);
  for (const Proven& one : all) {
    const Json metrics = one.entry.document.is_object() ? one.entry.document["metrics"] : Json();
    const Json loss = metrics.is_object() ? metrics.value("loss", Json()) : Json();
    char text[32] = "";
    if (loss.is_number()) std::snprintf(text, sizeof text, "%.4g", loss.get<double>());
    table.add({one.entry.path.filename().string(), bytes_text(one.bytes), text,
               reasons[one.entry.step], one.fault.empty() ? "whole" : one.fault});
  }
  context.console.out << (table.empty() ? "there is no checkpoint\n" : table.text());
  return 0;
}

int verify(const Arguments& arguments, Context& context) {
  std::string faults;
  size_t whole = 0;
  for (const Proven& one : checkpoints_of(arguments)) {
    whole += one.fault.empty();
    if (!one.fault.empty()) faults += "\n  " + one.entry.path.string() + ": " + one.fault;
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
  const std::vector<Proven> found = checkpoints_of(arguments);
  const auto reasons = arguments.flag("newest-only") ? std::map<int64_t, std::string>() : reasons_of(found);
  int64_t newest = 0, kept = 0, freed = 0;
  for (auto one = found.rbegin(); one != found.rend(); ++one) {
    const auto reason = reasons.find(one->entry.step);
    const bool for_good = reason != reasons.end() && reason->second != "newest";
    if (one->fault.empty() && (newest++ < keep || for_good)) {
      ++kept;
      continue;
    }
    remove_checkpoint(one->entry.path);
    freed += one->bytes;
    context.console.out << "removed " << one->entry.path.filename().string()
                        << (one->fault.empty() ? "" : " (" + one->fault + ")") << "\n";
  }
  context.console.out << kept << " kept, " << bytes_text(freed) << " freed\n";
  return 0;
}

}  // namespace

Command checkpoints_list_command() {
  return {{"checkpoints list",
           "Checkpoints of a run, why they stay, and whether they are whole",
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
           "Remove damaged checkpoints and whole ones but the newest, the best and those kept for good",
           "attune checkpoints prune runs/dpo --keep 2",
           {{"RUN", "The run's folder"}},
           {{"keep", "N", "Newest whole checkpoints to keep (default 1)"},
            {"newest-only", "", "Remove the best and those kept for good as well"}}},
          &prune};
}

}  // namespace attune
