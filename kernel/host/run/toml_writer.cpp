// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/toml_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace attune {
namespace {

constexpr char kBareKey[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

std::string quoted(const std::string& text) {
  std::string made = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        made += "\\\"";
        break;
      case '\\':
        made += "\\\\";
        break;
      case '\n':
        made += "\\n";
        break;
      case '\t':
        made += "\\t";
        break;
      case '\r':
        made += "\\r";
        break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04X", byte);
        made += byte < 0x20 || byte == 0x7f ? std::string(escape) : std::string(1, c);
      }
    }
  }
  return made + "\"";
}

std::string key_text(const std::string& key) {
  const bool bare = !key.empty() && key.find_first_not_of(kBareKey) == key.npos;
  return bare ? key : quoted(key);
}

std::string number_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  std::string made(text, end);
  if (made.find_first_of(".e") == made.npos) made += ".0";
  return made;
}

std::string value_text(const Json& value) {
  if (value.is_string()) return quoted(value.get_ref<const std::string&>());
  if (value.is_number_float()) return number_text(value.get<double>());
  std::string made;
  if (value.is_array()) {
    for (const Json& item : value) {
      if (!item.is_null()) made += (made.empty() ? "" : ", ") + value_text(item);
    }
    return "[" + made + "]";
  }
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      if (!item.is_null())
        made += (made.empty() ? "" : ", ") + key_text(key) + " = " + value_text(item);
    }
    return made.empty() ? "{}" : "{ " + made + " }";
  }
  return value.dump();
}

bool is_table_list(const Json& value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const Json& item) { return item.is_object(); });
}

void write(const Json& table, const std::string& path, std::string& out) {
  for (const auto& [key, value] : table.items()) {
    if (value.is_null() || value.is_object() || is_table_list(value)) continue;
    out += key_text(key) + " = " + value_text(value) + "\n";
  }
  for (const auto& [key, value] : table.items()) {
    const std::string here = path.empty() ? key_text(key) : path + "." + key_text(key);
    if (value.is_object()) {
      out += (out.empty() ? "[" : "\n[") + here + "]\n";
      write(value, here, out);
    } else if (is_table_list(value)) {
      for (const Json& item : value) {
        out += (out.empty() ? "[[" : "\n[[") + here + "]]\n";
        write(item, here, out);
      }
    }
  }
}

}  // namespace

std::string to_toml(const Json& table) {
  std::string out;
  write(table, "", out);
  return out;
}

}  // namespace attune
