// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/metric_words.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "kernel/host/run/layout.h"
#include "kernel/host/services/progress.h"

namespace attune {
namespace {

constexpr const char* kOrder[] = {"loss",
                                  "eval/loss",
                                  "reward/margin",
                                  "eval/reward/margin",
                                  "reward/accuracy",
                                  "eval/reward/accuracy",
                                  "reward/chosen",
                                  "reward/rejected",
                                  "gradient_norm",
                                  "learning_rate",
                                  "tokens_per_s",
                                  "memory_mb"};

constexpr const char* kLast[] = {"tokens", "scored_tokens", "seconds"};

bool is_share(const std::string& name) { return name.ends_with("accuracy"); }

size_t place(const std::string& name) {
  const auto* found = std::find(std::begin(kOrder), std::end(kOrder), name);
  if (found != std::end(kOrder)) return size_t(found - std::begin(kOrder));
  const auto* last = std::find(std::begin(kLast), std::end(kLast), name);
  return std::size(kOrder) + (last == std::end(kLast) ? 0 : 1 + size_t(last - std::begin(kLast)));
}

}  // namespace

std::string metric_label(const std::string& name) {
  static const std::map<std::string, std::string> kWords = {
      {"reward/accuracy", "accuracy"}, {"tokens_per_s", "tokens/s"},
      {"memory_mb", "memory"},         {"seconds", "seconds a step"},
      {"tokens", "tokens a step"},     {"scored_tokens", "scored tokens"}};
  if (name.starts_with("eval/")) return "validation " + metric_label(name.substr(5));
  if (const auto found = kWords.find(name); found != kWords.end()) return found->second;
  std::string label = name;
  std::replace_if(label.begin(), label.end(), [](char c) { return c == '_' || c == '/'; }, ' ');
  return label;
}

std::string number_text(double value, int digits) {
  if (!std::isfinite(value)) return "not finite";
  char text[32];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return text;
}

std::string metric_text(const std::string& name, double value) {
  if (!std::isfinite(value) || std::abs(value) > 1e9) return number_text(value);
  if (is_share(name)) return number_text(value * 100, 3) + " %";
  if (name == "memory_mb") return bytes_text(std::llround(value * 1e6));
  const bool whole = value == std::round(value) && std::abs(value) >= 1000;
  if (whole || (name == "tokens_per_s" && value >= 100)) return grouped(std::llround(value));
  return number_text(value);
}

std::vector<std::string> ordered_metrics(const std::vector<std::string>& names) {
  std::vector<std::string> ordered = names;
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const std::string& a, const std::string& b) { return place(a) < place(b); });
  return ordered;
}

std::string value_text(const Json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return number_text(value.get<double>(), 6);
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace attune
