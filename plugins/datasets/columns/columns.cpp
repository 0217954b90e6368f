// SPDX-License-Identifier: Apache-2.0
// No code: the manifest says which column is what. One row, read with
// columns = { prompt = "question", chosen = "better", rejected = "worse" }, is a pair:
//   {"question": "What is 2 + 2?", "better": "It is 4.", "worse": "It is 5."}
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "attune/dataset.h"

namespace {

using namespace attune;

constexpr std::array<std::string_view, 12> kColumns = {
    "prompt",   "answer",        "chosen",          "rejected",        "system",
    "id",       "rating_chosen", "rating_rejected", "feedback_chosen", "feedback_rejected",
    "feedback", "labels"};
constexpr std::array<std::string_view, 4> kRoles = {"system", "user", "assistant", "tool"};

/// How many letters must be added, dropped or replaced to turn `a` into `b`.
size_t edits(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string listed(const auto& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

void refuse_unknown(std::string_view name) {
  if (std::ranges::find(kColumns, name) != kColumns.end()) return;
  const auto nearest =
      std::ranges::min(kColumns, {}, [&](std::string_view known) { return edits(name, known); });
  const bool close = edits(name, nearest) <= std::max<size_t>(2, name.size() / 3);
  throw Error("`columns." + std::string(name) + "` is unknown" +
              (close ? "; did you mean `" + std::string(nearest) + "`?" : ".") +
              " Known: " + listed(kColumns));
}

/// What there is where a step of a path leads nowhere.
std::string contents(const Value& value) {
  if (value.is_list()) return std::to_string(value.size()) + " items";
  if (!value.is_map()) return std::string(value.type_name());
  std::vector<std::string> keys;
  for (size_t i = 0; i < value.size(); ++i) keys.push_back("`" + std::string(value.key(i)) + "`");
  return keys.empty() ? "nothing" : listed(keys);
}

/// The value at a dotted path. It must be there; it may be null. A key that has dots itself wins.
Value find(const Value& record, std::string_view column, const std::string& path) {
  if (const Value whole = record[path]; whole.raw()) return whole;
  Value at = record;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    const std::string step = path.substr(begin, end - begin);
    const Value next = at.at_path(step);
    if (!next.raw()) {
      throw Error("no `" + step + "` in " +
                  (at.path().empty() ? "the record" : "`" + at.path() + "`") +
                  ": expected by columns." + std::string(column) + " = \"" + path +
                  "\"; there is " + contents(at));
    }
    at = next;
    begin = end + 1;
  }
  return at;
}

std::string filled(const Value& value) {
  const std::string text(value.text());
  if (text.empty())
    throw Error("`" + value.path() + "`: expected some text, found an empty string");
  return text;
}

Message message(const Value& value) {
  const std::string role(value["role"].text());
  if (std::ranges::find(kRoles, role) == kRoles.end()) {
    throw Error("`" + value.path() + ".role`: unknown role `" + role +
                "`; known: " + listed(kRoles));
  }
  return {role, std::string(value["content"].text())};
}

std::vector<Message> prompt_of(const Value& value) {
  if (value.is_string()) return {{"user", filled(value)}};
  if (!value.is_list()) {
    throw Error("`" + value.path() + "`: expected a string or a list of messages, found " +
                std::string(value.type_name()));
  }
  std::vector<Message> turns;
  for (size_t i = 0; i < value.size(); ++i) turns.push_back(message(value[i]));
  if (turns.empty()) throw Error("`" + value.path() + "`: expected messages, found an empty list");
  if (turns.back().role == "assistant") {
    throw Error("`" + value.path() + "`: the last message of a prompt is the assistant's; " +
                "use the dataset `conversations` for whole conversations");
  }
  return turns;
}

class Columns {
 public:
  explicit Columns(Value options) {
    const Value columns = options["columns"];
    if (columns && !columns.is_map()) {
      throw Error("`columns`: expected a table of name = path, found " +
                  std::string(columns.type_name()));
    }
    for (size_t i = 0; i < columns.size(); ++i) {
      const std::string name(columns.key(i));
      refuse_unknown(name);
      if (name == "labels") {
        read_labels(columns[name]);
      } else {
        paths_[name] = columns[name].text();
      }
    }
    check_roles();
  }

  void map(Value record, const SampleSink& emit) const {
    SampleBuilder sample;
    auto prompt = prompt_of(at(record, "prompt"));
    add_system(record, prompt);
    sample.prompt_turns(prompt.size()).id(id(record));
    if (!labels_.empty()) add_labels(record, sample);
    if (has("answer")) {
      sample.add(answered(record, prompt, "answer", "", "feedback"));
    } else if (has("chosen")) {
      const auto chosen = answered(record, prompt, "chosen", "rating_chosen", "feedback_chosen");
      const auto rejected =
          answered(record, prompt, "rejected", "rating_rejected", "feedback_rejected");
      if (chosen.messages.back().text == rejected.messages.back().text) {
        throw Error("`" + paths_.at("chosen") + "` and `" + paths_.at("rejected") +
                    "` are the same text: nothing to prefer");
      }
      if (chosen.rating <= rejected.rating) {
        throw Error("`" + paths_.at("rating_chosen") + "`: expected a rating above that of `" +
                    paths_.at("rating_rejected") + "`: nothing to prefer");
      }
      sample.add(chosen).add(rejected);
    } else {
      sample.add({.messages = prompt});
    }
    emit(sample);
  }

 private:
  bool has(const std::string& column) const { return paths_.contains(column); }
  Value at(const Value& record, const std::string& column) const {
    return find(record, column, paths_.at(column));
  }

  void read_labels(const Value& table) {
    if (!table.is_map()) {
      throw Error("`columns.labels`: expected a table of name = path, found " +
                  std::string(table.type_name()));
    }
    for (size_t i = 0; i < table.size(); ++i) {
      labels_.emplace_back(table.key(i), table[table.key(i)].text());
    }
  }

  void check_roles() const {
    const auto needs = [&](const char* column, const char* other) {
      if (has(column) && !has(other)) {
        throw Error("`columns." + std::string(column) + "` needs `columns." + other +
                    "` beside it");
      }
    };
    if (!has("prompt")) throw Error("`columns.prompt` is missing: name the column that is asked");
    if (has("answer") && has("chosen")) {
      throw Error("`columns.answer` and `columns.chosen` exclude each other: a row is either an " +
                  std::string("answer or a pair"));
    }
    needs("chosen", "rejected");
    needs("rejected", "chosen");
    needs("feedback", "answer");
    for (const char* name : {"rating_chosen", "feedback_chosen"}) needs(name, "chosen");
    for (const char* name : {"rating_rejected", "feedback_rejected"}) needs(name, "rejected");
  }

  void add_system(const Value& record, std::vector<Message>& prompt) const {
    if (!has("system")) return;
    const Value system = at(record, "system");
    if (system.missing() || system.text().empty()) return;
    if (prompt.front().role == "system") {
      throw Error("`" + system.path() + "`: the prompt has a system message of its own");
    }
    prompt.insert(prompt.begin(), {"system", std::string(system.text())});
  }

  std::string id(const Value& record) const {
    if (!has("id")) return "";
    const Value value = at(record, "id");
    return value.is_integer() ? std::to_string(value.integer()) : std::string(value.text(""));
  }

  void add_labels(const Value& record, SampleBuilder& sample) const {
    Arena arena;
    std::vector<std::pair<std::string_view, attune_value>> members;
    for (const auto& [name, path] : labels_) {
      members.emplace_back(name, *find(record, "labels." + name, path).raw());
    }
    sample.labels(arena.map(members));
  }

  Conversation answered(const Value& record, const std::vector<Message>& prompt,
                        const std::string& answer, const std::string& rating,
                        const std::string& feedback) const {
    Conversation made{.messages = prompt};
    made.messages.push_back({"assistant", filled(at(record, answer))});
    if (has(rating)) made.rating = at(record, rating).number(made.rating);
    if (has(feedback)) made.feedback = at(record, feedback).text("");
    return made;
  }

  std::map<std::string, std::string> paths_;
  std::vector<std::pair<std::string, std::string>> labels_;
};

ATTUNE_DATASET(columns, "columns", Columns);

}  // namespace

ATTUNE_PLUGIN(&columns)
