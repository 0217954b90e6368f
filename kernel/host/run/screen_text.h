// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace attune {

/// What a terminal can show.
struct ScreenStyle {
  bool unicode = true;  ///< block characters; else plain ASCII
  bool color = false;
};

/// Columns that printable text takes: two for East Asian wide characters and pictographs, none for
/// combining ones.
size_t screen_width(std::string_view text);

/// Text of any origin, made harmless and cut to `width` columns: control characters, bidirectional
/// overrides and bytes that are no UTF-8 become "?", white space one space; what is too long ends
/// in an ellipsis.
std::string screen_text(std::string_view text, size_t width, const ScreenStyle& style);

/// The same, filled with spaces to `width` columns.
std::string screen_cell(std::string_view text, size_t width, const ScreenStyle& style,
                        bool right = false);

/// `values` as one line of `width` columns: each column is the mean of its share of them, between
/// the lowest and the highest column. Values that are not finite leave a gap. Fewer values than
/// columns take as many columns.
std::string sparkline(std::span<const double> values, size_t width, const ScreenStyle& style);

/// A bar of `width` columns of which `share` is full.
std::string progress_bar(double share, size_t width, const ScreenStyle& style);

}  // namespace attune
