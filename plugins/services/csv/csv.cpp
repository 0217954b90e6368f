// SPDX-License-Identifier: Apache-2.0
// Comma separated values with a header row, for example
//   question,answer
//   "What is 1, 2?","A ""list"""
#include <algorithm>

#include "attune/reader.h"
#include "csv_record.h"
#include "../text_file.h"

namespace {

using namespace attune;

class Csv {
 public:
  explicit Csv(Value options)
      : path_(options["path"].text()),
        delimiter_(delimiter(options)),
        file_(path_, options["max_bytes"].integer()) {
    const std::string_view text = file_.text();
    for (size_t at = 0; at < text.size(); at += row_size(text.substr(at), delimiter_)) {
      if (!blank(at)) starts_.push_back(at);
    }
    if (starts_.empty()) throw Error(path_ + ": expected a header row, found an empty file");
    header_ = fields_at(starts_.front());
    starts_.erase(starts_.begin());
    check_header();
  }

  int64_t count() const { return static_cast<int64_t>(starts_.size()); }

  void read(int64_t first, int64_t n, const ValueSink& emit) const {
    if (first < 0) throw Error(path_ + ": no record " + std::to_string(first));
    const int64_t end = n > count() - first ? count() : first + n;
    Arena arena;
    for (int64_t i = first; i < end; ++i, arena.clear()) {
      const std::vector<std::string> fields = fields_at(starts_[i]);
      if (fields.size() != header_.size()) {
        refuse(starts_[i], "expected " + std::to_string(header_.size()) +
                               " fields, as in the header, found " + std::to_string(fields.size()));
      }
      std::vector<std::pair<std::string_view, attune_value>> members;
      for (size_t f = 0; f < fields.size(); ++f)
        members.emplace_back(header_[f], arena.text(fields[f]));
      emit(arena.map(members));
    }
  }

 private:
  static char delimiter(Value options) {
    const std::string_view given = options["delimiter"].text(""), path = options["path"].text();
    if (given.empty()) return path.ends_with(".tsv") || path.ends_with(".tsv.gz") ? '\t' : ',';
    if (given.size() != 1 || given == "\"" || given == "\n" || given == "\r") {
      throw Error(
          "`delimiter`: expected one ASCII character other than a quote or a line end, found \"" +
          std::string(given) + "\"");
    }
    return given[0];
  }

  bool blank(size_t at) const {
    const std::string_view rest = file_.text().substr(at, 2);
    return rest.starts_with('\n') || rest == "\r\n" || rest == "\r";
  }

  [[noreturn]] void refuse(size_t at, const std::string& why) const {
    throw Error(path_ + ":" + std::to_string(file_.line_of(at)) + ": " + why);
  }

  std::vector<std::string> fields_at(size_t at) const {
    const std::string_view rest = file_.text().substr(at);
    try {
      std::vector<std::string> fields =
          parse_row(rest.substr(0, row_size(rest, delimiter_)), delimiter_);
      for (const std::string& field : fields) {
        if (const auto fault = utf8_fault(field)) refuse(at, *fault);
      }
      return fields;
    } catch (const BadRow& error) {
      refuse(at + error.at(), error.what());
    }
  }

  void check_header() const {
    for (size_t i = 0; i < header_.size(); ++i) {
      const auto first = std::find(header_.begin(), header_.end(), header_[i]) - header_.begin();
      if (static_cast<size_t>(first) == i) continue;
      throw Error(path_ + ": columns " + std::to_string(first + 1) + " and " +
                  std::to_string(i + 1) + " are both named \"" + header_[i] +
                  "\"; every column needs its own name");
    }
  }

  std::string path_;
  char delimiter_;
  TextFile file_;
  std::vector<std::string> header_;
  std::vector<size_t> starts_;
};

ATTUNE_READER(csv, "csv", Csv);

}  // namespace

ATTUNE_PLUGIN(&csv)
