// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include "attune/value.h"

namespace attune {

/// Owned plain data inside the kernel: resolved manifests, records, metrics. Keeps the order of keys.
using Json = nlohmann::ordered_json;

/// `json` as the contract's tree. Strings and lists live in `arena`.
inline attune_value to_value(const Json& json, Arena& arena) {
  switch (json.type()) {
    case Json::value_t::boolean: return Arena::boolean(json.get<bool>());
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned: return Arena::integer(json.get<int64_t>());
    case Json::value_t::number_float: return Arena::number(json.get<double>());
    case Json::value_t::string: return arena.text(json.get_ref<const std::string&>());
    case Json::value_t::array: {
      std::vector<attune_value> items;
      for (const Json& item : json) items.push_back(to_value(item, arena));
      return arena.list(std::move(items));
    }
    case Json::value_t::object: {
      std::vector<std::pair<std::string_view, attune_value>> members;
      for (const auto& [key, item] : json.items()) members.emplace_back(key, to_value(item, arena));
      return arena.map(members);
    }
    default: return Arena::null();
  }
}

/// The contract's tree as JSON. Bytes become a string.
inline Json to_json(const attune_value& value) {
  switch (value.type) {
    case ATTUNE_BOOL: return value.integer != 0;
    case ATTUNE_INT: return value.integer;
    case ATTUNE_FLOAT: return value.number;
    case ATTUNE_STRING:
    case ATTUNE_BYTES: return string(value.text);
    case ATTUNE_LIST: {
      Json list = Json::array();
      for (size_t i = 0; i < value.n_items; ++i) list.push_back(to_json(value.items[i]));
      return list;
    }
    case ATTUNE_MAP: {
      Json map = Json::object();
      for (size_t i = 0; i < value.n_items; ++i) map[string(value.keys[i])] = to_json(value.items[i]);
      return map;
    }
    default: return nullptr;
  }
}

}  // namespace attune
