// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "attune/abi.h"
#include "attune/error.h"

namespace attune {

inline attune_str str(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view view(attune_str text) { return {text.data, text.size}; }
inline std::string string(attune_str text) { return std::string(view(text)); }

/// A borrowed look at a tree of plain data (a record, options). Copies are cheap. The tree must outlive it.
/// Accessors throw Error naming the path ("conversations[2].from") and what was found.
class Value {
 public:
  Value() = default;
  explicit Value(const attune_value* value, std::string path = "") : value_(value), path_(std::move(path)) {}

  bool missing() const { return value_ == nullptr || value_->type == ATTUNE_NULL; }
  explicit operator bool() const { return !missing(); }
  bool is_bool() const { return type() == ATTUNE_BOOL; }
  bool is_integer() const { return type() == ATTUNE_INT; }
  bool is_number() const { return type() == ATTUNE_FLOAT || is_integer(); }
  bool is_string() const { return type() == ATTUNE_STRING; }
  bool is_list() const { return type() == ATTUNE_LIST; }
  bool is_map() const { return type() == ATTUNE_MAP; }

  bool boolean() const { return expect(is_bool(), "true or false")->integer != 0; }
  int64_t integer() const { return expect(is_integer(), "an integer")->integer; }
  double number() const { return expect(is_number(), "a number")->number; }
  std::string_view text() const { return view(expect(is_string(), "a string")->text); }

  bool boolean(bool otherwise) const { return missing() ? otherwise : boolean(); }
  int64_t integer(int64_t otherwise) const { return missing() ? otherwise : integer(); }
  double number(double otherwise) const { return missing() ? otherwise : number(); }
  std::string_view text(std::string_view otherwise) const { return missing() ? otherwise : text(); }

  /// Items of a list or members of a map.
  size_t size() const { return (is_list() || is_map()) ? value_->n_items : 0; }
  Value operator[](size_t index) const {
    return Value(&expect(index < size(), "more items")->items[index], path_ + "[" + std::to_string(index) + "]");
  }
  std::string_view key(size_t index) const { return view(value_->keys[index]); }
  /// The member of a map; a missing Value where there is none, or where this is no map.
  Value operator[](std::string_view name) const {
    const std::string path = path_.empty() ? std::string(name) : path_ + "." + std::string(name);
    for (size_t i = 0; is_map() && i < value_->n_items; ++i) {
      if (view(value_->keys[i]) == name) return Value(&value_->items[i], path);
    }
    return Value(nullptr, path);
  }
  Value operator[](const char* name) const { return (*this)[std::string_view(name)]; }
  /// A member by dotted path: "data.answer.text", "messages.0.content".
  Value at_path(std::string_view dotted) const {
    Value found = *this;
    while (!dotted.empty()) {
      const size_t dot = dotted.find('.');
      const std::string_view step = dotted.substr(0, dot);
      const bool index = found.is_list() && step.find_first_not_of("0123456789") == step.npos;
      if (index && std::stoul(std::string(step)) >= found.size()) return Value(nullptr, found.path_ + "." + std::string(step));
      found = index ? found[std::stoul(std::string(step))] : found[step];
      dotted = dot == dotted.npos ? std::string_view() : dotted.substr(dot + 1);
    }
    return found;
  }

  const attune_value* raw() const { return value_; }
  const std::string& path() const { return path_; }
  std::string_view type_name() const {
    static constexpr std::string_view names[] = {"nothing", "a bool", "an integer", "a number", "a string", "bytes", "a list", "a map"};
    return names[type()];
  }

 private:
  int32_t type() const { return value_ ? value_->type : ATTUNE_NULL; }
  const attune_value* expect(bool holds, std::string_view what) const {
    if (!holds) {
      throw Error((path_.empty() ? std::string("value") : "`" + path_ + "`") + ": expected " + std::string(what) + ", found " +
                  std::string(type_name()));
    }
    return value_;
  }

  const attune_value* value_ = nullptr;
  std::string path_;
};

/// Owns what values point to, until it is cleared or destroyed. Addresses stay valid while it grows.
class Arena {
 public:
  Arena() = default;
  Arena(Arena&&) noexcept = default;
  Arena& operator=(Arena&&) noexcept = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  attune_str keep(std::string_view text) { return str(texts_.emplace_back(text)); }

  static attune_value null() { return attune_value{}; }
  static attune_value boolean(bool v) { return {ATTUNE_BOOL, 0, v, double(v), {}, nullptr, nullptr, 0}; }
  static attune_value integer(int64_t v) { return {ATTUNE_INT, 0, v, double(v), {}, nullptr, nullptr, 0}; }
  static attune_value number(double v) { return {ATTUNE_FLOAT, 0, 0, v, {}, nullptr, nullptr, 0}; }
  attune_value text(std::string_view v) { return {ATTUNE_STRING, 0, 0, 0, keep(v), nullptr, nullptr, 0}; }
  attune_value list(std::vector<attune_value> items) {
    const auto& kept = items_.emplace_back(std::move(items));
    return {ATTUNE_LIST, 0, 0, 0, {}, kept.data(), nullptr, kept.size()};
  }
  attune_value map(const std::vector<std::pair<std::string_view, attune_value>>& members) {
    auto& keys = keys_.emplace_back();
    auto& items = items_.emplace_back();
    for (const auto& [key, value] : members) {
      keys.push_back(keep(key));
      items.push_back(value);
    }
    return {ATTUNE_MAP, 0, 0, 0, {}, items.data(), keys.data(), items.size()};
  }
  void clear() { texts_.clear(), items_.clear(), keys_.clear(); }

 private:
  std::deque<std::string> texts_;
  std::deque<std::vector<attune_value>> items_;
  std::deque<std::vector<attune_str>> keys_;
};

}  // namespace attune
