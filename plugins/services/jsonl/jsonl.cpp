// SPDX-License-Identifier: Apache-2.0
// JSON Lines (jsonlines.org), for example
//   {"prompt": "Name a colour.", "answer": "Blue"}
#include "attune/reader.h"
#include "../json_record.h"
#include "../text_file.h"
#include "row_index.h"

namespace {

using namespace attune;

class JsonLines {
 public:
  explicit JsonLines(Value options)
      : path_(options["path"].text()),
        file_(path_, options["max_bytes"].integer()),
        rows_(path_, file_.text(), std::string(options["index"].text(""))) {}

  int64_t count() const { return rows_.count(); }

  void read(int64_t first, int64_t n, const ValueSink& emit) const {
    if (first < 0) throw Error(path_ + ": no record " + std::to_string(first));
    const int64_t end = n > count() - first ? count() : first + n;
    if (first >= end) return;
    Arena arena;
    size_t at = rows_.start_of(first);
    for (int64_t i = first; i < end; ++i, arena.clear()) {
      emit(parse(at, arena));
      at = rows_.next(at + rows_.line_at(at).size() + 1);
    }
  }

 private:
  attune_value parse(size_t at, Arena& arena) const {
    try {
      return parse_record(rows_.line_at(at), arena);
    } catch (const BadRecord& error) {
      throw Error(path_ + ":" + std::to_string(file_.line_of(at)) + ":" +
                  std::to_string(error.column()) + ": " + error.what());
    }
  }

  std::string path_;
  TextFile file_;
  RowIndex rows_;
};

ATTUNE_READER(jsonl, "jsonl", JsonLines);

}  // namespace

ATTUNE_PLUGIN(&jsonl)
