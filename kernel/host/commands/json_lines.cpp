// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/commands/json_lines.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "kernel/host/exit.h"
#include "kernel/host/manifest/nearest.h"

namespace attune {
namespace {

[[noreturn]] void refuse(const InputRow& row, const std::string& what) {
  throw ExitError(Exit::kData, row.where + ": " + what);
}

void read_stream(std::istream& in, const std::string& name, std::vector<InputRow>& rows) {
  int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    InputRow row{nullptr, name + ":" + std::to_string(++number)};
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    try {
      row.json = Json::parse(line);
    } catch (const Json::parse_error& error) {
      refuse(row,
             "is no JSON at byte " + std::to_string(error.byte) + "; expected one object a line");
    }
    if (!row.json.is_object())
      refuse(row, "expected an object, found " + std::string(row.json.type_name()));
    rows.push_back(std::move(row));
  }
}

int32_t part_kind(const std::string& type) {
  static const std::vector<std::string> kTypes = {"text", "image", "audio", "video"};
  const auto found = std::find(kTypes.begin(), kTypes.end(), type);
  return found == kTypes.end() ? 0 : static_cast<int32_t>(found - kTypes.begin()) + ATTUNE_TEXT;
}

/// Turns as their C form needs them: addresses stay while the list grows.
struct Turns {
  std::deque<std::string> texts;
  std::deque<std::vector<attune_part>> parts;
  std::vector<attune_turn> turns;

  attune_str keep(std::string text) { return str(texts.emplace_back(std::move(text))); }
  void add_text(const std::string& text) {
    const attune_str kept = keep(text);
    parts.back().push_back({ATTUNE_TEXT, 0, {}, {}, {kept.data, kept.size}});
  }
};

void read_part(const InputRow& row, const std::string& where, const Json& part, Turns& into) {
  const std::string type = part.is_object() ? part.value("type", "") : "";
  const int32_t kind = part_kind(type);
  if (kind == 0)
    refuse(row,
           where +
               ": expected {\"type\": \"text\" | \"image\" | \"audio\" | \"video\", ...}, found " +
               part.dump());
  if (kind == ATTUNE_TEXT) {
    if (!part.contains("text") || !part["text"].is_string())
      refuse(row, where + ".text: expected a string");
    return into.add_text(part["text"]);
  }
  for (const char* key : {"path", "url"}) {
    if (!part.contains(key) || !part[key].is_string()) continue;
    into.parts.back().push_back({kind, 0, {}, into.keep(part[key]), {}});
    return;
  }
  refuse(row, where + ": expected \"path\" or \"url\" of the " + type);
}

void read_message(const InputRow& row, size_t index, const Json& message, Turns& into) {
  const std::string where = "messages[" + std::to_string(index) + "]";
  const bool shaped = message.is_object() && message.contains("role") &&
                      message["role"].is_string() && message.contains("content");
  if (!shaped)
    refuse(row,
           where + ": expected {\"role\": \"...\", \"content\": ...}, found " + message.dump());
  into.parts.emplace_back();
  const Json& content = message["content"];
  if (content.is_string()) {
    into.add_text(content);
  } else if (content.is_array()) {
    for (size_t p = 0; p < content.size(); ++p)
      read_part(row, where + ".content[" + std::to_string(p) + "]", content[p], into);
  } else {
    refuse(row, where + ".content: expected a string or a list of parts, found " +
                    std::string(content.type_name()));
  }
  into.turns.push_back({into.keep(message["role"]), nullptr, 0, 1.0});
}

}  // namespace

std::vector<InputRow> read_rows(const std::string& file, Console& console) {
  std::vector<InputRow> rows;
  if (file == "-") {
    read_stream(console.in, "standard input", rows);
    return rows;
  }
  std::ifstream in(file, std::ios::binary);
  if (!in || std::filesystem::is_directory(file)) {
    throw ExitError(Exit::kData,
                    file + ": cannot be read: " + (in ? "it is a folder" : std::strerror(errno)));
  }
  read_stream(in, file, rows);
  return rows;
}

RowWriter::RowWriter(std::string file, Console& console)
    : file_(std::move(file)), console_(console) {
  if (file_ == "-") return;
  staged_.open(file_ + ".staging", std::ios::binary | std::ios::trunc);
  if (!staged_)
    throw ExitError(Exit::kUsage, file_ + ": cannot be written: " + std::strerror(errno));
}

RowWriter::~RowWriter() {
  std::error_code ignored;
  if (staged_.is_open()) std::filesystem::remove(file_ + ".staging", ignored);
}

void RowWriter::write(const Json& row) {
  std::ostream& out = file_ == "-" ? console_.out : staged_;
  out << row.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  if (!out) throw ExitError(Exit::kRunFailed, file_ + ": writing failed: " + std::strerror(errno));
}

void RowWriter::finish() {
  if (file_ == "-") {
    console_.out << std::flush;
    return;
  }
  staged_.close();
  if (!staged_)
    throw ExitError(Exit::kRunFailed, file_ + ": writing failed: " + std::strerror(errno));
  std::filesystem::rename(file_ + ".staging", file_);
}

SampleBuilder read_messages(const InputRow& row) {
  const Json& messages = row.json.at("messages");
  if (!messages.is_array() || messages.empty())
    refuse(row, "messages: expected a list of at least one message");
  Turns made;
  for (size_t i = 0; i < messages.size(); ++i) read_message(row, i, messages[i], made);
  for (size_t i = 0; i < made.turns.size(); ++i) {
    made.turns[i].parts = made.parts[i].data();
    made.turns[i].n_parts = made.parts[i].size();
  }
  SampleBuilder sample;
  sample.add_view(
      {made.turns.data(), made.turns.size(), std::numeric_limits<double>::quiet_NaN(), {}});
  return sample;
}

void at_row(const InputRow& row, const std::function<void()>& body) {
  try {
    body();
  } catch (const ExitError& error) {
    if (error.exit() != Exit::kData || std::string_view(error.what()).starts_with(row.where)) throw;
    throw ExitError(Exit::kData, row.where + ": " + error.what());
  }
}

bool row_flag(const InputRow& row, const char* key, bool otherwise) {
  if (!row.json.contains(key)) return otherwise;
  if (!row.json[key].is_boolean())
    refuse(row, std::string(key) + ": expected true or false, found " + row.json[key].dump());
  return row.json[key];
}

std::string row_text(const InputRow& row, const char* key) {
  const Json& value = row.json.at(key);
  if (!value.is_string())
    refuse(row, std::string(key) + ": expected a string, found " + std::string(value.type_name()));
  return value;
}

std::vector<int64_t> row_ids(const InputRow& row, const char* key) {
  const Json& value = row.json.at(key);
  const bool ids = value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& id) {
                     return id.is_number_integer();
                   });
  if (!ids) refuse(row, std::string(key) + ": expected a list of token ids");
  return value.get<std::vector<int64_t>>();
}

std::string only_key(const InputRow& row, const std::vector<std::string>& keys) {
  std::string found;
  for (const std::string& key : keys) {
    if (!row.json.contains(key)) continue;
    if (!found.empty())
      refuse(row, "has both \"" + found + "\" and \"" + key + "\"; give one of them");
    found = key;
  }
  if (found.empty()) {
    std::vector<std::string> has;
    for (const auto& [key, value] : row.json.items()) has.push_back(key);
    refuse(row, "expected one of: " + join(keys) + "; found " +
                    (has.empty() ? "an empty object" : "only: " + join(has)));
  }
  return found;
}

}  // namespace attune
