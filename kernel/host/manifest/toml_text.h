// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/host/manifest/node.h"
#include "kernel/host/manifest/option_schema.h"
#include "kernel/host/manifest/report.h"

namespace attune::manifest {

struct SyntaxError {
  int line = 0;
  int column = 0;
  std::string what;
};

/// Reads TOML. The places of the tree are in `source` (which may be null), `shift` columns to the
/// right. Throws SyntaxError.
Node parse_toml(std::string_view text, const SourceText* source, int shift = 0);

/// As above; a syntax error goes to `report` and the answer is empty.
std::optional<Node> parse_toml(std::string_view text, const SourceText& source, Report& report);

std::vector<std::string> split_lines(std::string_view text);

/// The schemas that the tables of `options` declare. Throws Error.
std::vector<OptionSchema> read_schemas(const Node& options);

}  // namespace attune::manifest
