// SPDX-License-Identifier: Apache-2.0
// A WebDataset shard: the members
//   cats/001.jpg  cats/001.txt  cats/001.json
// are the record {"__key__": "cats/001", "jpg": <bytes>, "txt": "A cat.", "json": {"width": 64}}.
#include <charconv>
#include <unordered_map>

#include "../json_record.h"
#include "../text_file.h"
#include "attune/reader.h"
#include "tar.h"

namespace {

using namespace attune;

class WebDataset {
 public:
  explicit WebDataset(Value options)
      : path_(options["path"].text()), file_(path_, options["max_bytes"].integer()) {
    std::unordered_map<std::string, size_t> known;
    try {
      each_member(file_.text(), [&](const TarMember& member) { add(member, known); });
    } catch (const Error& error) {
      throw Error(path_ + ": " + error.what(), error.code());
    }
  }

  int64_t count() const { return static_cast<int64_t>(records_.size()); }

  void read(int64_t first, int64_t n, const ValueSink& emit) const {
    if (first < 0) throw Error(path_ + ": no record " + std::to_string(first));
    const int64_t end = n > count() - first ? count() : first + n;
    Arena arena;
    for (int64_t i = first; i < end; ++i, arena.clear()) {
      const Record& record = records_[i];
      std::vector<std::pair<std::string_view, attune_value>> members = {
          {"__key__", arena.text(record.key)}};
      for (const Field& field : record.fields)
        members.emplace_back(field.extension, value_of(record, field, arena));
      emit(arena.map(members));
    }
  }

 private:
  struct Field {
    std::string extension;
    std::string_view data;
  };
  struct Record {
    std::string key;
    std::vector<Field> fields;
  };

  /// The base name ends at the first dot of the last part of the path; files without one, and those
  /// that begin with one, belong to no record.
  void add(const TarMember& member, std::unordered_map<std::string, size_t>& known) {
    const size_t part = member.name.rfind('/') + 1;  // 0 where there is no slash
    const size_t dot = member.name.find('.', part);
    if (dot == member.name.npos || dot == part || dot + 1 == member.name.size()) return;
    const std::string key = member.name.substr(0, dot), extension = member.name.substr(dot + 1);
    if (utf8_fault(member.name)) throw Error("a member's name is no valid UTF-8");
    if (extension == "__key__")
      throw Error("`" + member.name + "`: the field `__key__` is the record's name");
    const auto [found, added] = known.try_emplace(key, records_.size());
    if (added) records_.push_back({key, {}});
    Record& record = records_[found->second];
    for (const Field& field : record.fields) {
      if (field.extension == extension) throw Error("`" + member.name + "` is there twice");
    }
    record.fields.push_back({extension, member.data});
  }

  attune_value value_of(const Record& record, const Field& field, Arena& arena) const {
    const std::string_view type =
        std::string_view(field.extension).substr(field.extension.rfind('.') + 1);
    const auto refuse = [&](const std::string& why) {
      throw Error(path_ + ": `" + record.key + "." + field.extension + "`: " + why);
    };
    if (type == "json") {
      try {
        return parse_json(field.data, arena);
      } catch (const BadRecord& error) {
        refuse("byte " + std::to_string(error.column()) + ": " + error.what());
      }
    }
    if (type == "txt") {
      if (const auto fault = utf8_fault(field.data)) refuse(*fault);
      return arena.text(field.data);
    }
    if (type == "cls") return integer(field.data, refuse);
    attune_value bytes = Arena::null();
    bytes.type = ATTUNE_BYTES;
    bytes.text = str(field.data);
    return bytes;
  }

  template <typename Refuse>
  static attune_value integer(std::string_view text, Refuse refuse) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      refuse("expected an integer, found " + std::to_string(text.size()) + " bytes that are none");
    return Arena::integer(value);
  }

  std::string path_;
  TextFile file_;
  std::vector<Record> records_;
};

ATTUNE_READER(webdataset, "webdataset", WebDataset);

}  // namespace

ATTUNE_PLUGIN(&webdataset)
