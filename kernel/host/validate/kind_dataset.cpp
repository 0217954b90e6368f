// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/validate/forms.h"
#include "kernel/host/validate/kinds.h"
#include "kernel/host/validate/readable.h"
#include "kernel/host/validate/shapes.h"

namespace attune::validate {
namespace {

const attune_dataset* table_of(const void* table) { return static_cast<const attune_dataset*>(table); }

/// What a plugin that says "`a.b`: expected a string" may want.
Json wanted(const std::string& why) {
  const std::pair<const char*, Json> known[] = {{"a string", "text"},      {"some text", "text"},   {"an integer", 1},
                                                {"a number", 0.5},         {"true or false", true}, {"a list", Json::array()},
                                                {"a map", Json::object()}, {"a bool", true}};
  for (const auto& [words, value] : known) {
    if (why.find(std::string("expected ") + words) != why.npos) return value;
  }
  return nullptr;
}

/// A row that maps, found by following what the plugin says of rows that do not; null where that leads nowhere.
Json learned_row(const Subject& subject) {
  Stage stage(subject);
  const Json options = subject.complete({});
  Json row = Json::object();
  for (int tries = 0; tries < 40; ++tries) {
    const Json found = use_fresh(subject, stage, {"", options, {{"row", row}}});
    if (found.contains("create")) return nullptr;
    if (found.at("end") == "ok") return found.at("samples").empty() ? Json() : row;
    const std::string why = found.at("end").at("why");
    const size_t open = why.find('`'), close = why.find('`', open + 1);
    const Json value = wanted(why);
    if (close == why.npos || value.is_null()) return nullptr;
    std::string path = why.substr(open + 1, close - open - 1);
    if (path.find_first_of(".[") != path.npos || row.contains(path)) return nullptr;
    row[path] = value.is_string() ? Json(path) : value;
  }
  return nullptr;
}

class Dataset final : public Kind {
 public:
  std::string_view id() const override { return "dataset/1"; }
  std::string missing(const void* table) const override {
    const auto* t = table_of(table);
    return first_missing({{"destroy", ATTUNE_HAS(t, attune_dataset, destroy) != 0}, {"map", ATTUNE_HAS(t, attune_dataset, map) != 0}});
  }
  void destroy(void* table) const override { table_of(table)->destroy(table_of(table)->self); }
  std::string hint() const override { return "no row is known that maps; give rows with --cases, [{\"row\": {...}, \"sample\": {...}}]"; }

  std::vector<Input> good(const Subject& subject) const override {
    std::vector<Input> found;
    for (const Input& one : subject.written("row")) {
      if (!one.given.contains("refused")) found.push_back(one);
    }
    if (!found.empty()) return found;
    if (const Json row = learned_row(subject); !row.is_null())
      found.push_back({"a row that was found", subject.complete({}), {{"row", row}}});
    return found;
  }

  std::vector<Input> bad(const Subject& subject) const override {
    std::vector<Input> found;
    for (const Input& one : subject.written("row")) {
      if (one.given.contains("refused")) found.push_back(one);
    }
    const std::vector<Input> fine = good(subject);
    const Json options = fine.empty() ? subject.complete({}) : fine.front().options;
    const auto add = [&](const std::string& name, const Json& row) { found.push_back({name, options, {{"row", row}}}); };
    add("no field", Json::object());
    for (const Json& row : {Json(), Json("x"), Json::array({1}), Json(3)}) add("a row " + row.dump(), row);
    if (fine.empty()) return found;
    for (const auto& [key, value] : fine.front().given["row"].items()) {
      Json row = fine.front().given["row"];
      for (const Json& wrong : {Json(), Json(""), Json(-1), Json(true), Json::array(), Json::object()}) {
        row[key] = wrong;
        add("`" + key + "` = " + wrong.dump(), row);
      }
      row.erase(key);
      add("no `" + key + "`", row);
    }
    return found;
  }

  std::vector<Input> huge(const Subject& subject) const override {
    std::vector<Input> found;
    const std::vector<Input> fine = good(subject);
    const Json options = fine.empty() ? subject.complete({}) : fine.front().options;
    Json row = fine.empty() ? Json::object() : fine.front().given["row"];
    const Json usual = row;
    for (auto& [key, value] : row.items()) {
      if (value.is_string()) value = value.get<std::string>() + std::string(4 << 20, 'x');
    }
    found.push_back({"texts of 4 MiB", options, {{"row", row}}});
    Json wide = usual, deep = usual;
    for (int i = 0; i < 5000; ++i) wide["field" + std::to_string(i)] = i;
    found.push_back({"a row of 5,000 fields", options, {{"row", wide}}});
    for (auto& [key, value] : deep.items()) value = nested(1000);
    deep["other"] = nested(1000);
    found.push_back({"fields of lists in each other", options, {{"row", deep}}});
    return found;
  }

  Json use(Witness& witness, void* table, const Json& given, SinkRule& rule) const override {
    Json samples = Json::array();
    const auto sink = watched<attune_sample_sink, const attune_sample*>(rule, [&](const attune_sample* sample) {
      check_sample(*sample);
      samples.push_back(readable(*sample));
    });
    Arena arena;
    const attune_value record = to_value(given.at("row"), arena);
    const Answer answer = called(witness, "map", rule, [&] { return table_of(table)->map(table_of(table)->self, &record, sink.get()); });
    scribble(record);
    sink.check();
    return {{"samples", samples}, {"end", answer.json()}};
  }

  std::vector<Test> tests(Engine*) const override {
    return {
        {"samples", "Samples are whole, and of a shape that plugin.toml declares", [this](const Subject& subject) { samples(subject); }},
        {"cases", "Rows become what the author wrote down", [this](const Subject& subject) { cases(subject); }}};
  }

 private:
  void samples(const Subject& subject) const {
    const Json declared = subject.factory.metadata.value("samples", Json());
    if (!declared.is_array() || declared.empty()) throw Failed("plugin.toml: expected samples = [\"supervised\", ...], found none");
    Stage stage(subject);
    for (const Input& input : some_good(subject)) {
      const Instance instance(subject, stage, input.options);
      std::string fault;
      SinkRule rule;
      const auto sink = watched<attune_sample_sink, const attune_sample*>(rule, [&](const attune_sample* sample) {
        check_sample(*sample);
        if (fault.empty()) fault = shape_fault(*sample, declared.get<std::vector<std::string>>());
        if (!fault.empty())
          throw Failed(input.name + ": expected one of " + declared.dump() + ", found " + fault + " in " + brief(readable(*sample)));
      });
      Arena arena;
      const attune_value record = to_value(input.given.at("row"), arena);
      const auto* t = table_of(instance.table());
      called(stage.witness, "map", rule, [&] { return t->map(t->self, &record, sink.get()); });
      sink.check();
    }
  }

  void cases(const Subject& subject) const {
    const std::vector<Input> all = subject.written("row");
    if (all.empty()) throw Skipped("no rows were given; write them down and name the file with --cases");
    Stage stage(subject);
    for (const Input& one : all) {
      const Json found = use_fresh(subject, stage, one);
      if (one.given.contains("refused")) {
        const Json why = found.contains("create") ? found["create"] : found["end"];
        expect_equal(why == "ok" ? found["samples"] : why["why"], one.given["refused"], one.name);
      } else {
        if (!one.given.contains("sample") && !one.given.contains("samples")) continue;
        const Json expected = one.given.contains("sample") ? Json::array({one.given["sample"]}) : one.given.value("samples", Json());
        expect_equal(found.contains("end") && found["end"] == "ok" ? found["samples"] : found, expected, one.name);
      }
    }
  }
};

}  // namespace

const Kind& dataset_kind() {
  static const Dataset kind;
  return kind;
}

}  // namespace attune::validate
