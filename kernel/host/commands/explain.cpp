// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/manifest/nearest.h"

namespace attune {
namespace {

std::string place(const std::string& file, int line, int column) {
  if (line == 0) return file == "default" ? "the default" : file;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

[[noreturn]] void refuse_unknown(const Manifest& manifest, const std::string& path) {
  std::vector<std::string> known;
  for (const auto& [key, source] : manifest.sources) known.push_back(key);
  const std::string near = nearest(path, known);
  throw ExitError(
      Exit::kUsage,
      "the manifest has no value \"" + path + "\"" +
          (near.empty() ? "; name it as in: train.steps, data.train[0].path, stage[1].model.path"
                        : "; did you mean \"" + near + "\"?"));
}

int explain(const Arguments& arguments, Context& context) {
  const CheckedRun checked = load_checked(arguments, context);
  const std::string path = *arguments.text("KEY");
  const auto value = checked.manifest.value(path);
  if (!value) refuse_unknown(checked.manifest, path);
  std::ostream& out = context.console.out;
  out << path << " = " << value->dump() << "\n";
  const Source* source = checked.manifest.source(path);
  if (!source) {
    for (const auto& [key, below] : checked.manifest.sources) {
      const bool inside = key.starts_with(path) && key.size() > path.size() &&
                          (key[path.size()] == '.' || key[path.size()] == '[');
      if (inside)
        out << "  " << key << " from " << place(below.file, below.line, below.column) << "\n";
    }
    return 0;
  }
  out << "  from " << place(source->file, source->line, source->column) << "\n";
  for (auto shadowed = source->shadowed.rbegin(); shadowed != source->shadowed.rend(); ++shadowed) {
    out << "  instead of " << shadowed->value.dump() << " from "
        << place(shadowed->file, shadowed->line, shadowed->column) << "\n";
  }
  return 0;
}

}  // namespace

Command explain_command() {
  return {{"explain",
           "Print a value of a manifest, where it comes from and what it replaced",
           "attune explain configs/quickstart.toml stage[2].train.steps",
           {{"FILE", "The manifest (TOML)"}, {"KEY", "Path of the value, for example train.steps"}},
           manifest_options()},
          &explain};
}

}  // namespace attune
