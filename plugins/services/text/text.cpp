// SPDX-License-Identifier: Apache-2.0
// Plain text as records {"text": ...}: a line, a paragraph (up to a blank line) or the whole file each. What is blank is no
// record.
#include <utility>

#include "../text_file.h"
#include "attune/reader.h"

namespace {

using namespace attune;

class Text {
 public:
  explicit Text(Value options) : path_(options["path"].text()), file_(path_, options["max_bytes"].integer()) {
    const std::string unit(options["unit"].text());
    const std::string_view text = file_.text();
    if (unit == "file") {
      if (!blank(text)) records_.emplace_back(0, text.size());
      return;
    }
    size_t begin = text.npos, end = 0;  // Of the paragraph that is open.
    for (size_t at = 0; at < text.size();) {
      const size_t newline = std::min(text.find('\n', at), text.size());
      const size_t line_end = newline > at && text[newline - 1] == '\r' ? newline - 1 : newline;
      const bool empty = blank(text.substr(at, line_end - at));
      if (unit == "line") {
        if (!empty) records_.emplace_back(at, line_end);
      } else if (!empty) {
        begin = std::min(begin, at), end = line_end;
      } else if (begin != text.npos) {
        records_.emplace_back(begin, end), begin = text.npos;
      }
      at = newline + 1;
    }
    if (begin != text.npos) records_.emplace_back(begin, end);
  }

  int64_t count() const { return static_cast<int64_t>(records_.size()); }

  void read(int64_t first, int64_t n, const ValueSink& emit) const {
    if (first < 0) throw Error(path_ + ": no record " + std::to_string(first));
    const int64_t end = n > count() - first ? count() : first + n;
    Arena arena;
    for (int64_t i = first; i < end; ++i, arena.clear()) {
      const auto [from, to] = records_[static_cast<size_t>(i)];
      const std::string_view text = file_.text().substr(from, to - from);
      if (const auto fault = utf8_fault(text)) throw Error(path_ + ":" + std::to_string(file_.line_of(from)) + ": " + *fault);
      emit(arena.map({{"text", arena.text(text)}}));
    }
  }

 private:
  static bool blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == text.npos; }

  std::string path_;
  TextFile file_;
  std::vector<std::pair<size_t, size_t>> records_;
};

ATTUNE_READER(text, "text", Text);

}  // namespace

ATTUNE_PLUGIN(&text)
