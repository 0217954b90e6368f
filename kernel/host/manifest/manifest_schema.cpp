// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/manifest/manifest_schema.h"

#include <algorithm>

#include "kernel/host/manifest/checker.h"
#include "kernel/host/manifest/manifest_tables.h"
#include "kernel/host/manifest/nearest.h"
#include "kernel/host/manifest/toml_text.h"

namespace attune {
namespace {

OptionSchema& at(std::vector<OptionSchema>& schemas, std::string_view name) {
  return *std::ranges::find(schemas, name, &OptionSchema::name);
}

std::vector<OptionSchema> read() {
  std::vector<OptionSchema> all;
  for (const char* text : {manifest::kRun, manifest::kModel, manifest::kData, manifest::kTrain, manifest::kAsk}) {
    for (OptionSchema& schema : manifest::read_schemas(manifest::parse_toml(text, nullptr))) {
      all.push_back(std::move(schema));
    }
  }
  const std::vector<OptionSchema> entry = at(at(all, "data").members, "train").members;
  at(at(all, "data").members, "eval").members = entry;
  at(at(all, "data").members, "heldout").members = entry;
  at(at(all, "generate").members, "data").members = entry;
  at(at(all, "evaluate").members, "data").members = entry;
  return all;
}

}  // namespace

const std::vector<OptionSchema>& manifest_schema() {
  static const std::vector<OptionSchema> schema = read();
  return schema;
}

std::string manifest_help() {
  std::string text =
      "A manifest is one TOML file. Unknown keys are errors. Paths are relative to the file that "
      "writes\n"
      "them; \"@stage.final\", \"@stage.answers\" and \"@stage.results\" are outputs of earlier "
      "stages of a\n"
      "pipeline. ${NAME} in a string is a variable that [env] declares; $$ is a dollar sign. "
      "Tables named\n"
      "x-anything are kept and ignored.\n";
  for (const OptionSchema& schema : manifest_schema()) {
    const bool is_table = schema.type == "table" || schema.items == "table";
    const std::string title = is_table ? manifest::title_of(schema, schema.name)
                                       : schema.name + " (" + describe_option(schema) + ")";
    text += "\n" + title + "  " + schema.help + "\n";
    if (!schema.runs.empty()) {
      text += "  read by: " + join(schema.runs) + (schema.required ? " (required)" : "") + "\n";
    }
    text += format_options(schema.members);
  }
  return text;
}

}  // namespace attune
