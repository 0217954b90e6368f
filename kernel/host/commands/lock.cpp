// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/commands/command.h"
#include "kernel/host/run/locked.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

int lock(const Arguments& arguments, Context& context) {
  const CheckedRun checked = load_checked(arguments, context);
  const Lock made = lock_of(checked.manifest, *checked.installation);
  const std::string file = lock_file(checked.manifest);
  write_atomically(file, lock_text(made));
  context.console.out << file << ": " << made.files.size() << " files pinned\n";
  return 0;
}

}  // namespace

std::optional<Locked> enforce_lock(const Arguments& arguments, const CheckedRun& checked) {
  const bool required =
      checked.installation->policy().require == Policy::Require::kLocked;
  if (!required && !arguments.flag("locked")) return std::nullopt;
  return Locked(checked.manifest, *checked.installation);
}

OptionSpec locked_option() {
  return {"locked", "", "Refuse whatever differs from FILE.lock, before anything is loaded"};
}

Command lock_command() {
  return {{"lock",
           "Write FILE.lock: SHA-256 of every file that the run reads, and every value",
           "attune lock configs/tiny.toml && attune run configs/tiny.toml --locked",
           {{"FILE", "The manifest (TOML)"}},
           manifest_options()},
          &lock};
}

}  // namespace attune
