// SPDX-License-Identifier: Apache-2.0
// A line is a record: q=2+2?<tab>a=4
#include "attune/reader.h"

#include <fstream>

#include "attune/text.h"

namespace {

using namespace attune;
using Record = std::vector<std::pair<std::string, std::string>>;

class @Name@ {
 public:
  explicit @Name@(Value options) : path_(options["path"].text()) {
    std::ifstream file(path_);
    if (!file) throw Error(path_ + ": cannot be read", ATTUNE_E_IO);
    for (std::string line; std::getline(file, line);) records_.push_back(parse(line));
  }

  int64_t count() const { return static_cast<int64_t>(records_.size()); }

  void read(int64_t first, int64_t n, const ValueSink& emit) const {
    for (int64_t i = first; i < count() && n > 0; ++i, --n) {
      Arena arena;
      std::vector<std::pair<std::string_view, attune_value>> members;
      for (const auto& [key, value] : records_[static_cast<size_t>(i)]) members.emplace_back(key, arena.text(value));
      emit(arena.map(members));
    }
  }

 private:
  Record parse(const std::string& line) const {
    const std::string where = path_ + ": line " + std::to_string(records_.size() + 1);
    if (utf8(line) != line) throw Error(where + ": expected UTF-8, found other bytes");
    Record made;
    for (size_t begin = 0; begin <= line.size();) {
      const size_t end = std::min(line.find('\t', begin), line.size());
      const std::string pair = line.substr(begin, end - begin);
      const size_t equals = pair.find('=');
      if (equals == pair.npos) throw Error(where + ": expected key=value, found \"" + pair + "\"");
      made.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
      begin = end + 1;
    }
    return made;
  }

  std::string path_;
  std::vector<Record> records_;
};

ATTUNE_READER(@name@, "@name@", @Name@);

}  // namespace

ATTUNE_PLUGIN(&@name@)
