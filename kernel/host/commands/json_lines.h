// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attune/sample.h"
#include "kernel/host/json.h"
#include "kernel/host/services/console.h"

/// Commands that read one JSON object a line and write one for each.
namespace attune {

/// One row of input.
struct InputRow {
  Json json;
  std::string where;  ///< "rows.jsonl:17"
};

/// All rows of a file, or of standard input for "-". Throws ExitError(kData) naming the line.
std::vector<InputRow> read_rows(const std::string& file, Console& console);

/// Rows of output: to a file, which appears when `finish` is called, or to standard output for "-".
class RowWriter {
 public:
  RowWriter(std::string file, Console& console);
  ~RowWriter();
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;

  void write(const Json& row);
  void finish();

 private:
  std::string file_;
  Console& console_;
  std::ofstream staged_;
};

/// The messages of a row, as turns. Content is a string, or a list of parts:
/// {"type": "text", "text"} or {"type": "image" | "audio" | "video", "path" or "url"}.
/// Throws ExitError(kData) naming the row.
SampleBuilder read_messages(const InputRow& row);

/// Runs `body(row)`; what it throws of data names the row.
void at_row(const InputRow& row, const std::function<void()>& body);

/// A member of a row with its type checked; `otherwise` where it is missing.
bool row_flag(const InputRow& row, const char* key, bool otherwise);
std::string row_text(const InputRow& row, const char* key);
std::vector<int64_t> row_ids(const InputRow& row, const char* key);

/// The key of `keys` that the row has; throws where it has none or several.
std::string only_key(const InputRow& row, const std::vector<std::string>& keys);

}  // namespace attune
