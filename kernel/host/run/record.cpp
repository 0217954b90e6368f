// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/record.h"

#include "kernel/host/run/hardware.h"
#include "kernel/host/run/toml_writer.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

void lift_options(Json& value) {
  if (!value.is_structured()) return;
  for (Json& item : value) lift_options(item);
  if (!value.is_object() || !value.contains("use") || !value.contains("options")) return;
  const Json options = value["options"];
  value.erase("options");
  for (const auto& [key, option] : options.items()) value[key] = option;
}

}  // namespace

Json written_manifest(Json resolved) {
  lift_options(resolved);
  return resolved;
}

std::string manifest_toml(Json resolved) {
  lift_options(resolved);
  if (resolved.contains("stage")) {
    for (Json& stage : resolved["stage"]) {
      // A stage has these beside its `run` table, or from the pipeline.
      for (const char* key : {"kind", "name", "output"}) {
        if (stage.contains("run")) stage["run"].erase(key);
      }
    }
  }
  return to_toml(resolved);
}

void write_record(const std::string& folder, const RecordFacts& facts) {
  const Json run = facts.manifest.value("run", Json::object());
  const Json record = {{"start", facts.start},
                       {"end", facts.end.empty() ? Json() : Json(facts.end)},
                       {"command_line", facts.command_line},
                       {"seed", run.value("seed", int64_t{0})},
                       {"threads", run.value("threads", int64_t{0})},
                       {"device", run.value("device", "cpu")},
                       {"hardware", hardware()},
                       {"software", facts.software},
                       {"notes", facts.notes},
                       {"results", facts.results},
                       {"manifest", facts.manifest}};
  write_atomically(folder + "/manifest.toml", manifest_toml(facts.manifest));
  write_atomically(folder + "/record.toml", to_toml(record));
}

}  // namespace attune
