// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/html.h"

#include <algorithm>
#include <cctype>

namespace attune {
namespace {

std::string span(const char* kind, std::string_view text) {
  return "<span class=\"" + std::string(kind) + "\">" + html_text(text) + "</span>";
}

/// Where the string that begins at `at` ends.
size_t string_end(std::string_view line, size_t at) {
  const char quote = line[at];
  for (size_t i = at + 1; i < line.size(); ++i) {
    if (quote == '"' && line[i] == '\\')
      ++i;
    else if (line[i] == quote)
      return i + 1;
  }
  return line.size();
}

bool bare(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' ||
         c == '+';
}

bool key_follows(std::string_view rest) {
  const size_t at = rest.find_first_not_of(' ');
  return at != rest.npos && rest[at] == '=';
}

std::string html_toml_line(std::string_view line) {
  if (line.starts_with("[")) return span("t", line);
  std::string made;
  for (size_t at = 0; at < line.size();) {
    const char c = line[at];
    size_t end = at + 1;
    const char* kind = nullptr;
    if (c == '#') {
      end = line.size(), kind = "m";
    } else if (c == '"' || c == '\'') {
      end = string_end(line, at);
      kind = key_follows(line.substr(end)) ? "k" : "s";
    } else if (bare(c)) {
      while (end < line.size() && bare(line[end])) ++end;
      const bool number = std::isdigit(static_cast<unsigned char>(c)) || c == '-' || c == '+';
      kind = key_follows(line.substr(end)) ? "k" : number ? "n" : "w";
    }
    made += kind ? span(kind, line.substr(at, end - at)) : html_text(line.substr(at, 1));
    at = end;
  }
  return made;
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string made;
  made.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '<':
        made += "&lt;";
        break;
      case '>':
        made += "&gt;";
        break;
      case '&':
        made += "&amp;";
        break;
      case '"':
        made += "&quot;";
        break;
      case '\'':
        made += "&#39;";
        break;
      default:
        if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f)
          made += "\xef\xbf\xbd";
        else
          made += c;
    }
  }
  return made;
}

std::string html_toml(std::string_view toml) {
  std::string made;
  for (size_t begin = 0; begin < toml.size();) {
    const size_t end = std::min(toml.find('\n', begin), toml.size());
    made += html_toml_line(toml.substr(begin, end - begin)) + "\n";
    begin = end + 1;
  }
  return made;
}

}  // namespace attune
