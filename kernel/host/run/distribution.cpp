// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/distribution.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace attune {
namespace {

int64_t round_width(double least) {
  for (int64_t ten = 1;; ten *= 10) {
    for (const int64_t width : {ten, 2 * ten, 5 * ten}) {
      if (double(width) >= least) return width;
    }
  }
}

std::string label(const Json& bin) {
  return bin[0] == bin[1] ? bin[0].dump() : bin[0].dump() + "-" + bin[1].dump();
}

int64_t highest(const Json& bins) {
  int64_t most = 1;
  for (const Json& bin : bins) most = std::max(most, bin[2].get<int64_t>());
  return most;
}

}  // namespace

std::vector<int64_t> Distribution::sorted() const {
  std::vector<int64_t> values = values_;
  std::sort(values.begin(), values.end());
  return values;
}

int64_t Distribution::sum() const {
  return std::accumulate(values_.begin(), values_.end(), int64_t(0));
}

int64_t Distribution::quantile(double share) const {
  if (values_.empty()) return 0;
  const std::vector<int64_t> values = sorted();
  const auto rank = static_cast<int64_t>(std::ceil(share * double(values.size())));
  return values[size_t(std::clamp<int64_t>(rank - 1, 0, int64_t(values.size()) - 1))];
}

std::vector<Distribution::Bin> Distribution::bins(size_t most) const {
  if (values_.empty()) return {};
  const std::vector<int64_t> values = sorted();
  const int64_t width = round_width(double(quantile(0.99) - values.front() / 2 + 1) / double(most));
  const int64_t first = values.front() / width * width;
  std::vector<Bin> made;
  for (const int64_t value : values) {
    const auto bin = std::min(size_t((value - first) / width), most - 1);
    while (made.size() <= bin) {
      const int64_t low = first + int64_t(made.size()) * width;
      made.push_back({low, low + width - 1, 0});
    }
    ++made[bin].count;
  }
  made.back().high = std::max(made.back().high, values.back());
  return made;
}

Json Distribution::json() const {
  Json list = Json::array();
  for (const Bin& bin : bins()) list.push_back({bin.low, bin.high, bin.count});
  const double mean = values_.empty() ? 0 : double(sum()) / double(values_.size());
  return {{"n", values_.size()},  {"sum", sum()},         {"mean", mean},
          {"p50", quantile(0.5)}, {"p90", quantile(0.9)}, {"p99", quantile(0.99)},
          {"max", quantile(1)},   {"bins", list}};
}

std::string bars(const Json& bins, size_t width) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  size_t column = 0;
  for (const Json& bin : bins) column = std::max(column, label(bin).size());
  std::string text;
  for (const Json& bin : bins) {
    const auto count = bin[2].get<int64_t>();
    const auto eighths =
        size_t(std::llround(double(count) / double(highest(bins)) * double(width) * 8));
    text += "  " + std::string(column - label(bin).size(), ' ') + label(bin) + "  ";
    for (size_t i = 0; i < eighths / 8; ++i) text += "█";
    text += kEighths[eighths % 8];
    text += (eighths ? " " : "") + std::to_string(count) + "\n";
  }
  return text;
}

std::string svg_bars(const Json& bins) {
  constexpr int kRow = 18, kLabel = 90, kWidth = 380;
  std::string svg = "<svg role=\"img\" width=\"" + std::to_string(kLabel + kWidth + 60) +
                    "\" height=\"" + std::to_string(kRow * int(bins.size()) + 4) + "\">";
  int y = 0;
  for (const Json& bin : bins) {
    const auto count = bin[2].get<int64_t>();
    const int width = int(std::llround(double(count) / double(highest(bins)) * kWidth));
    const std::string middle = std::to_string(y + 13);
    svg += "<text x=\"" + std::to_string(kLabel - 8) + "\" y=\"" + middle +
           "\" text-anchor=\"end\">" + label(bin) + "</text><rect x=\"" + std::to_string(kLabel) +
           "\" y=\"" + std::to_string(y + 2) + "\" width=\"" + std::to_string(width) +
           "\" height=\"" + std::to_string(kRow - 4) + "\"/><text x=\"" +
           std::to_string(kLabel + width + 6) + "\" y=\"" + middle + "\">" + std::to_string(count) +
           "</text>";
    y += kRow;
  }
  return svg + "</svg>";
}

}  // namespace attune
