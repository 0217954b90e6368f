// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/screen_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace attune {
namespace {

struct Range {
  uint32_t first, last;
};

// Unicode 15, East Asian Width W and F, in blocks as large as terminals treat them alike.
constexpr Range kWide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x2614, 0x2615},
    {0x2648, 0x2653},   {0x26a1, 0x26a1},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},
    {0x2705, 0x2705},   {0x270a, 0x270b},   {0x2728, 0x2728},   {0x274c, 0x274c},
    {0x2753, 0x2755},   {0x2757, 0x2757},   {0x2795, 0x2797},   {0x2b1b, 0x2b1c},
    {0x2b50, 0x2b50},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
    {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
    {0x17000, 0x18aff}, {0x1b000, 0x1b2ff}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf},
    {0x1f18e, 0x1f19a}, {0x1f200, 0x1f320}, {0x1f32d, 0x1f64f}, {0x1f680, 0x1f6ff},
    {0x1f7e0, 0x1f7eb}, {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd}};

constexpr Range kCombining[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f},
    {0x06d6, 0x06dc}, {0x0900, 0x0902}, {0x093c, 0x093c}, {0x0941, 0x0948}, {0x0e31, 0x0e31},
    {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200d},
    {0x20d0, 0x20ff}, {0x302a, 0x302d}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef}};

template <size_t n>
bool within(uint32_t point, const Range (&ranges)[n]) {
  return std::any_of(std::begin(ranges), std::end(ranges), [&](const Range& range) {
    return point >= range.first && point <= range.last;
  });
}

bool harmful(uint32_t point) {
  return point < 0x20 || (point >= 0x7f && point < 0xa0) || (point >= 0x200e && point <= 0x200f) ||
         (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) ||
         point == 0xfeff || point == 0x061c || point > 0x10ffff;
}

/// The code point at `at`, which moves on; one above the last for bytes that are none.
uint32_t next(std::string_view text, size_t& at) {
  constexpr uint32_t kNone = 0x110000;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at++);
  if (lead < 0x80) return lead;
  const size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc2 ? 1 : 0;
  if (more == 0 || lead > 0xf4 || at + more > text.size()) return kNone;
  uint32_t point = lead & (0x3f >> more);
  for (size_t i = 0; i < more; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return kNone;
    point = point << 6 | (byte(at + i) & 0x3f);
  }
  at += more;
  return point;
}

size_t columns(uint32_t point) {
  return within(point, kCombining) ? 0 : within(point, kWide) ? 2 : 1;
}

struct Glyph {
  std::string_view bytes;
  size_t columns;
};

std::vector<Glyph> glyphs(std::string_view text, bool unicode) {
  std::vector<Glyph> made;
  bool space = true;  // Spaces at the front are left out.
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const uint32_t point = next(text, at);
    if (point == ' ' || (point >= '\t' && point <= '\r')) {
      if (!space) made.push_back({" ", 1});
      space = true;
      continue;
    }
    space = false;
    const bool plain = !harmful(point) && (unicode || point < 0x80);
    made.push_back(plain ? Glyph{text.substr(begin, at - begin), columns(point)} : Glyph{"?", 1});
  }
  if (space && !made.empty()) made.pop_back();
  return made;
}

}  // namespace

size_t screen_width(std::string_view text) {
  size_t width = 0;
  for (size_t at = 0; at < text.size();) width += columns(next(text, at));
  return width;
}

std::string screen_text(std::string_view text, size_t width, const ScreenStyle& style) {
  const std::vector<Glyph> all = glyphs(text, style.unicode);
  size_t total = 0;
  for (const Glyph& glyph : all) total += glyph.columns;
  const std::string end = total <= width ? "" : style.unicode ? "…" : width > 3 ? "..." : "";
  const size_t room = width - std::min(width, screen_width(end));
  std::string made;
  size_t used = 0;
  for (const Glyph& glyph : all) {
    if (used + glyph.columns > (end.empty() ? width : room)) break;
    made += glyph.bytes;
    used += glyph.columns;
  }
  return made + end;
}

std::string screen_cell(std::string_view text, size_t width, const ScreenStyle& style, bool right) {
  const std::string made = screen_text(text, width, style);
  const std::string space(width - std::min(width, screen_width(made)), ' ');
  return right ? space + made : made + space;
}

std::string sparkline(std::span<const double> values, size_t width, const ScreenStyle& style) {
  static constexpr std::array<const char*, 8> kBlocks = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static constexpr std::array<const char*, 8> kPlain = {"_", ".", "-", "~", "=", "+", "*", "#"};
  const size_t count = std::min(width, values.size());
  std::vector<double> means(count, NAN);
  double low = INFINITY, high = -INFINITY;
  for (size_t c = 0; c < count; ++c) {
    long double sum = 0;  // Wide enough for a sum of the largest numbers.
    size_t n = 0;
    for (size_t i = c * values.size() / count; i < (c + 1) * values.size() / count; ++i) {
      if (std::isfinite(values[i])) sum += values[i], ++n;
    }
    if (n == 0) continue;
    means[c] = double(sum / n);
    low = std::min(low, means[c]), high = std::max(high, means[c]);
  }
  std::string made;
  for (const double mean : means) {
    // Halves, so that the distance of two huge values is finite too.
    const double share = high > low ? (mean / 2 - low / 2) / (high / 2 - low / 2) : 0.5;
    if (!std::isfinite(mean))
      made += " ";
    else
      made +=
          (style.unicode ? kBlocks : kPlain)[size_t(std::clamp(std::lround(share * 7), 0L, 7L))];
  }
  return made;
}

std::string progress_bar(double share, size_t width, const ScreenStyle& style) {
  static constexpr std::array<const char*, 8> kParts = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double full = std::clamp(share, 0.0, 1.0) * double(width);
  const auto whole = static_cast<size_t>(full);
  std::string made;
  size_t used = whole;
  for (size_t i = 0; i < whole; ++i) made += style.unicode ? "█" : "=";
  if (style.unicode) {
    const std::string part = kParts[static_cast<size_t>((full - double(whole)) * 8)];
    made += part;
    used += !part.empty();
    for (; used < width; ++used) made += "░";
    return made;
  }
  if (used < width) made += ">", ++used;
  return made + std::string(width - used, '.');
}

}  // namespace attune
