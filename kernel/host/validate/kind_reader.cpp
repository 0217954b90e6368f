// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "kernel/host/services/files.h"
#include "kernel/host/validate/forms.h"
#include "kernel/host/validate/kinds.h"

namespace attune::validate {
namespace {

namespace fs = std::filesystem;

const attune_reader* table_of(const void* table) { return static_cast<const attune_reader*>(table); }

/// The bytes of a case's file, written as text or lying beside the cases.
std::string bytes_of(const Subject& subject, const Json& one) {
  return one.contains("text") ? one["text"].get<std::string>() : read_text(fs::path(subject.folder) / one.at("file").get<std::string>());
}

std::string suffix_of(const Subject& subject, const Json& one) {
  if (one.contains("suffix")) return one["suffix"];
  if (one.contains("file")) {
    const std::string name = fs::path(one["file"].get<std::string>()).filename();
    return name.substr(std::min(name.find('.'), name.size()));
  }
  const Json declared = subject.factory.metadata.value("suffixes", Json::array());
  return declared.empty() ? "" : declared[0].get<std::string>();
}

/// Writes a file and names it in the options.
void place(const Subject& subject, Json& options, const std::string& name, const std::string& bytes) {
  options["path"] = subject.out() + "/" + name;
  spill(options["path"], bytes);
}

class Reader final : public Kind {
 public:
  std::string_view id() const override { return "reader/1"; }
  std::string missing(const void* table) const override {
    const auto* t = table_of(table);
    return first_missing({{"destroy", ATTUNE_HAS(t, attune_reader, destroy) != 0},
                          {"count", ATTUNE_HAS(t, attune_reader, count) != 0},
                          {"read", ATTUNE_HAS(t, attune_reader, read) != 0}});
  }
  void destroy(void* table) const override { table_of(table)->destroy(table_of(table)->self); }
  std::string hint() const override {
    return "no file of this format is known; give some with --cases, [{\"text\": \"...\", \"records\": [...]}]";
  }

  std::vector<Input> good(const Subject& subject) const override {
    std::vector<Input> found;
    for (Input& one : placed(subject, "records")) {
      one.given = {{"first", 0}, {"n", std::numeric_limits<int64_t>::max()}};
      found.push_back(std::move(one));
    }
    return found;
  }

  std::vector<Input> bad(const Subject& subject) const override {
    std::vector<Input> found = placed(subject, "refused");
    for (Input& one : found) one.given = {{"first", 0}, {"n", 10}};
    const std::vector<Input> fine = good(subject);
    const Json usual = fine.empty() ? subject.complete({{"path", subject.out() + "/none"}}) : fine.front().options;
    const auto range = [&](const std::string& name, int64_t first, int64_t n) {
      found.push_back({name, usual, {{"first", first}, {"n", n}}});
    };
    range("nothing of it", 0, 0);
    range("one beyond the end", 1000000, 1);
    range("all, from the second on", 1, std::numeric_limits<int64_t>::max());
    const Json kind = {{"suffix", suffix_of(subject, Json::object())}};
    const auto file = [&](const std::string& name, const std::string& bytes) {
      Json options = usual;
      place(subject, options, std::to_string(found.size()) + kind["suffix"].get<std::string>(), bytes);
      found.push_back({name, options, {{"first", 0}, {"n", 1000}}});
    };
    file("an empty file", "");
    file("a file of zeros", std::string(1000, '\0'));
    file("a file of noise", "\xFF\xFE\x01{]\"\n\n,,\t\x80");
    Json options = usual;
    options["path"] = subject.out() + "/there/is/none" + kind["suffix"].get<std::string>();
    found.push_back({"no file", options, {{"first", 0}, {"n", 1}}});
    options["path"] = subject.out();
    found.push_back({"a folder", options, {{"first", 0}, {"n", 1}}});
    return found;
  }

  std::vector<Input> huge(const Subject& subject) const override {
    const std::vector<Input> fine = good(subject);
    if (fine.empty()) return {};
    const std::string bytes = read_text(fine.front().options["path"].get<std::string>());
    std::string many;
    while (many.size() < (size_t{8} << 20) && !bytes.empty()) many += bytes;
    std::vector<Input> found;
    for (const auto& [name, content] :
         {std::pair("8 MiB of files behind each other", many), std::pair("a line of 8 MiB", std::string(8 << 20, 'x'))}) {
      Json options = fine.front().options;
      place(subject, options, "huge" + std::to_string(found.size()) + suffix_of(subject, Json::object()), content);
      found.push_back({name, options, {{"first", 0}, {"n", 100}}});
    }
    return found;
  }

  Json use(Witness& witness, void* table, const Json& given, SinkRule& rule) const override {
    const auto* t = table_of(table);
    int64_t count = -1;
    Answer answer = witness.call("count", [&] { return t->count(t->self, &count); });
    if (!answer.ok()) return {{"end", answer.json()}};
    if (count < 0) throw Failed("count: expected 0 or more, found " + std::to_string(count));
    Json records = Json::array();
    const auto sink = watched<attune_value_sink, const attune_value*>(rule, [&](const attune_value* value) {
      if (value->type != ATTUNE_MAP) throw Failed("a record: expected a map, found type " + std::to_string(value->type));
      records.push_back(plain(*value));
    });
    answer = called(witness, "read", rule, [&] { return t->read(t->self, given.at("first"), given.at("n"), sink.get()); });
    sink.check();
    return {{"count", count}, {"records", records}, {"end", answer.json()}};
  }

  std::vector<Test> tests(Engine*) const override {
    return {
        {"random-access", "Records by index are those in order, in any pieces", [this](const Subject& subject) { random_access(subject); }},
        {"range", "Beyond the end there is nothing, and count says where it is", [this](const Subject& subject) { range(subject); }},
        {"damaged-file", "A damaged file is read or refused, and named", [this](const Subject& subject) { damaged(subject); }},
        {"cases", "Files become the records that the author wrote down", [this](const Subject& subject) { cases(subject); }}};
  }

 private:
  /// Cases whose files are written.
  std::vector<Input> placed(const Subject& subject, const char* key) const {
    return subject.written(key, [&](Json& options, const Json& one, size_t number) {
      place(subject, options, std::string(key) + std::to_string(number) + suffix_of(subject, one), bytes_of(subject, one));
    });
  }

  /// Records [first, first + n).
  Json piece(const Instance& instance, const Subject& subject, int64_t first, int64_t n) const {
    const Json made = attune::validate::use(instance, subject, {"", {}, {{"first", first}, {"n", n}}});
    if (made["end"] != "ok") throw Failed("read(" + std::to_string(first) + ", " + std::to_string(n) + ") failed: " + brief(made["end"]));
    return made["records"];
  }

  void random_access(const Subject& subject) const {
    Stage stage(subject);
    for (const Input& input : some_good(subject)) {
      const Instance instance(subject, stage, input.options);
      const Json all = piece(instance, subject, 0, std::numeric_limits<int64_t>::max());
      const auto count = static_cast<int64_t>(all.size());
      const int64_t stride = std::max<int64_t>(1, count / 200);
      for (int64_t i = count - 1; i >= 0; i -= stride)
        expect_equal(piece(instance, subject, i, 1), Json::array({all[static_cast<size_t>(i)]}),
                     input.name + ": record " + std::to_string(i) + " alone");
      for (const int64_t n : {int64_t{1}, int64_t{2}, int64_t{3}, int64_t{7}}) {
        Json pieces = Json::array();
        for (int64_t first = 0; first < std::min<int64_t>(count, 300); first += n) {
          for (const Json& record : piece(instance, subject, first, n)) pieces.push_back(record);
        }
        Json expected = Json::array();
        const int64_t read = (std::min<int64_t>(count, 300) + n - 1) / n * n;
        for (int64_t i = 0; i < std::min(read, count); ++i) expected.push_back(all[static_cast<size_t>(i)]);
        expect_equal(pieces, expected, input.name + ": in pieces of " + std::to_string(n));
      }
    }
  }

  void range(const Subject& subject) const {
    Stage stage(subject);
    for (const Input& input : some_good(subject)) {
      const Instance instance(subject, stage, input.options);
      const Json all = attune::validate::use(instance, subject, input);
      const auto count = all["count"].get<int64_t>();
      if (count != static_cast<int64_t>(all["records"].size()))
        throw Failed(input.name + ": counted " + std::to_string(count) + ", read " + std::to_string(all["records"].size()));
      expect_equal(piece(instance, subject, count, 5), Json::array(), input.name + ": behind the end");
      expect_equal(piece(instance, subject, 0, 0), Json::array(), input.name + ": no record");
      if (count > 0)
        expect_equal(piece(instance, subject, count - 1, 5), Json::array({all["records"].back()}), input.name + ": across the end");
    }
  }

  void damaged(const Subject& subject) const {
    Stage stage(subject);
    const Input fine = some_good(subject).front();
    const std::string bytes = read_text(fine.options["path"].get<std::string>());
    uint64_t dice = 1;
    const auto roll = [&](size_t below) {
      return static_cast<size_t>((dice = dice * 6364136223846793005u + 1442695040888963407u) >> 33) % below;
    };
    for (int i = 0; i < 60 && !bytes.empty(); ++i) {
      std::string wrong = bytes.substr(0, i % 2 ? bytes.size() : roll(bytes.size()));
      for (size_t flips = i % 2 ? 1 + roll(4) : 0; flips > 0; --flips) wrong[roll(wrong.size())] ^= static_cast<char>(1 << roll(8));
      Json options = fine.options;
      place(subject, options, "damaged" + suffix_of(subject, Json::object()), wrong);
      const Json made = use_fresh(subject, stage, {"", options, {{"first", 0}, {"n", 1000}}});
      const Json end = made.contains("create") ? made["create"] : made["end"];
      if (end == "ok") continue;
      const std::string path = options["path"], why = end["why"];
      if (why.find(path) == why.npos) throw Failed("a damaged file is refused with \"" + why + "\"; expected the message to name the file");
    }
  }

  void cases(const Subject& subject) const {
    Stage stage(subject);
    std::vector<Input> all = placed(subject, "records");
    for (Input& one : placed(subject, "refused")) all.push_back(std::move(one));
    if (all.empty()) throw Skipped("no files were given; write them down and name the file with --cases");
    for (const Input& one : all) {
      if (one.given.value("records", Json()).is_null() && !one.given.contains("refused")) continue;  // There to be read, whatever it holds.
      const Json made = use_fresh(subject, stage, {one.name, one.options, {{"first", 0}, {"n", std::numeric_limits<int64_t>::max()}}});
      const Json end = made.contains("create") ? made["create"] : made["end"];
      const Json found = end == "ok" ? made["records"] : Json(with_file(end["why"], one.options["path"]));
      expect_equal(found, one.given.contains("records") ? one.given["records"] : one.given["refused"], one.name);
    }
  }
};

}  // namespace

const Kind& reader_kind() {
  static const Reader kind;
  return kind;
}

}  // namespace attune::validate
