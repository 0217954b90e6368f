// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace attune {

/// Bytes of the UTF-8 character that `text` begins with. 0: it is no character. `cut`: it is the beginning of one.
inline size_t character(std::string_view text, bool& cut) {
  cut = false;
  if (text.empty()) return 0;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t size = lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xC2 && lead < 0xE0 ? 2 : 0;
  for (size_t i = 1; i < size; ++i) {
    if (i == text.size()) return cut = true, 0;
    // Overlong forms, surrogates and what lies beyond U+10FFFF are told by the second byte.
    const unsigned char low = i > 1 ? 0x80 : lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = i > 1 ? 0xBF : lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (byte(i) < low || byte(i) > high) return 0;
  }
  return size;
}

/// The characters of `bytes`, a byte that belongs to none as U+FFFD. An incomplete last character is left out where the text
/// is to go on (`streaming`), as a tokenizer's decode_next does.
inline std::string utf8(std::string_view bytes, bool streaming = false) {
  std::string made;
  while (!bytes.empty()) {
    bool cut = false;
    const size_t size = character(bytes, cut);
    if (cut && streaming) break;
    made += size > 0 ? bytes.substr(0, size) : std::string_view("\xEF\xBF\xBD");
    bytes.remove_prefix(cut ? bytes.size() : size > 0 ? size : 1);
  }
  return made;
}

}  // namespace attune
