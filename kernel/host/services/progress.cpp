// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace attune {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kPlainLine = std::chrono::seconds(5);
constexpr int kBarWidth = 24;

std::string bar(double share) {
  const int full = std::clamp(int(std::lround(share * kBarWidth)), 0, kBarWidth);
  std::string text = "[";
  for (int i = 0; i < kBarWidth; ++i) text += i < full ? "=" : i == full ? ">" : " ";
  return text + "]";
}

}  // namespace

std::string clock_text(double seconds) {
  const auto whole = static_cast<long long>(std::llround(std::max(0.0, seconds)));
  char text[48];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60,
                  whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld:%02lld", whole / 60, whole % 60);
  }
  return text;
}

std::string grouped(int64_t number) {
  std::string text = std::to_string(number < 0 ? -number : number);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return number < 0 ? "-" + text : text;
}

void Progress::metrics(const Json& row) {
  const auto number = [&](const char* key, std::optional<double>& into) {
    if (row.contains(key) && row[key].is_number()) into = row[key].get<double>();
  };
  number("loss", loss_);
  number("tokens_per_s", tokens_per_s_);
}

void Progress::update(std::string_view phase, int64_t done, int64_t total) {
  if (console_.quiet || total <= 0) return;
  const auto now = Clock::now();
  if (phase != phase_ || total != total_ || done < done_) {
    finish();
    phase_ = phase;
    first_ = done, total_ = total, begun_ = now, ended_ = false;
    shown_.reset();
    if (!console_.err_is_terminal) shown_ = now;  // A short phase is one line, at its end.
    if (phase != "train") loss_.reset(), tokens_per_s_.reset();
  }
  done_ = done;
  const bool last = done >= total;
  if (ended_) return;
  const auto pause =
      console_.err_is_terminal ? Clock::duration(kRedraw) : Clock::duration(kPlainLine);
  if (!last && shown_ && now - *shown_ < pause) return;
  shown_ = now;
  if (console_.err_is_terminal) {
    console_.err << "\r" << line() << "\x1b[K" << std::flush;
    drawn_ = true;
  } else {
    console_.err << line() << std::endl;
  }
  if (last) finish();
}

std::string Progress::line() const {
  const double elapsed = std::chrono::duration<double>(Clock::now() - begun_).count();
  const double share = double(done_) / double(total_);
  char text[160];
  std::snprintf(text, sizeof text, "%-9s ", phase_.c_str());
  std::string made = text;
  if (console_.err_is_terminal) made += bar(share) + " ";
  std::snprintf(text, sizeof text, "%lld/%lld", static_cast<long long>(done_),
                static_cast<long long>(total_));
  made += text + numbers();
  if (done_ >= total_) return made + "  in " + clock_text(elapsed);
  if (done_ > first_)
    made += "  ETA " + clock_text(elapsed / double(done_ - first_) * double(total_ - done_));
  return made;
}

std::string Progress::numbers() const {
  std::string made;
  char text[64];
  if (loss_) {
    std::snprintf(text, sizeof text, "  loss %.4f", *loss_);
    made += text;
  }
  if (tokens_per_s_) made += "  " + grouped(std::llround(*tokens_per_s_)) + " tokens/s";
  return made;
}

void Progress::note(std::string_view text) {
  if (drawn_) console_.err << "\r\x1b[K";
  console_.err << text << std::endl;
  if (drawn_) console_.err << line() << std::flush;
}

void Progress::finish() {
  if (drawn_) console_.err << std::endl;
  drawn_ = false;
  ended_ = true;
}

}  // namespace attune
