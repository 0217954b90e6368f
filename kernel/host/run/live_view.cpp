// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/live_view.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "kernel/host/run/metric_words.h"
#include "kernel/host/run/run_facts.h"
#include "kernel/host/services/progress.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLogLines = 4, kSamples = 2, kFewSeries = 4;
constexpr size_t kValue = 10, kRange = 22, kWithRange = 76;
constexpr int64_t kTailBytes = 64 << 10;
constexpr double kSilence = 30;  // Seconds after which a run's silence is worth a word.
constexpr const char kBold[] = "1", kDim[] = "2", kGreen[] = "32", kYellow[] = "33", kCyan[] = "36";

std::string painted(const std::string& text, const char* code, const ScreenStyle& style) {
  return style.color && !text.empty() ? "\x1b[" + std::string(code) + "m" + text + "\x1b[0m" : text;
}

/// The last whole lines of a file, at most `count`.
std::vector<std::string> last_lines(const fs::path& file, size_t count) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) return {};
  const int64_t size = in.tellg(), from = std::max<int64_t>(0, size - kTailBytes);
  in.seekg(from);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  if (from > 0 && !lines.empty()) lines.erase(lines.begin());
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - std::ptrdiff_t(count));
  return lines;
}

/// "prompt: answer" of the newest rows.
std::vector<std::string> newest_samples(const std::string& folder) {
  std::vector<std::string> made;
  for (const char* name : {"rollouts.jsonl", "answers.jsonl", "samples.jsonl"}) {
    for (const std::string& line : last_lines(fs::path(folder) / name, kSamples)) {
      const Json row = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      const Json& answers = under(row, {"answers"});
      const Json& text = answers.is_array() && !answers.empty() ? under(answers[0], {"text"})
                                                                : under(row, {"text"});
      const Json& prompt = under(row, {"prompt"});
      if (!text.is_string()) continue;
      made.push_back((prompt.is_string() ? prompt.get<std::string>() + " > " : "") +
                     text.get<std::string>());
    }
    if (!made.empty()) break;
  }
  return made;
}

/// A line of log.txt with the time of day alone.
std::string short_time(const std::string& line) {
  constexpr size_t kTime = 20;  // "2026-02-03T04:05:06Z"
  return line.size() > kTime && line[10] == 'T' && line[kTime - 1] == 'Z'
             ? line.substr(11, 8) + line.substr(kTime)
             : line;
}

/// The path, or its end where there is no room.
std::string title_of(const RunFolder& run, size_t room) {
  return screen_width(run.path) <= room ? run.path : run.name();
}

const char* color_of(Activity activity) {
  switch (activity) {
    case Activity::kRunning:
      return kGreen;
    case Activity::kStopped:
      return kYellow;
    case Activity::kFinished:
      return kCyan;
    default:
      return kDim;
  }
}

double number_at(const Json& json, const char* key) {
  const Json& value = under(json, {key});
  return value.is_number() ? value.get<double>() : 0;
}

std::string dotted(const std::vector<std::string>& parts, const ScreenStyle& style) {
  std::string made;
  for (const std::string& part : parts) {
    if (!part.empty()) made += (made.empty() ? "" : style.unicode ? " · " : ", ") + part;
  }
  return made;
}

/// How far the run is in its phase.
struct Distance {
  std::string phase;
  double done = 0, total = 0;
};

Distance distance_of(const RunFolder& run) {
  const Json& phase = under(run.progress, {"phase"});
  Distance made{phase.is_string() ? phase.get<std::string>() : "", number_at(run.progress, "done"),
                number_at(run.progress, "total")};
  const bool training = made.phase == "train" || made.phase.empty() || !(made.done < made.total);
  if (run.metrics.step() && training)
    made = {"train", double(*run.metrics.step()), double(run.steps().value_or(0))};
  return made;
}

/// Seconds until the phase ends, at its pace so far.
std::optional<double> time_left(const RunFolder& run, double now) {
  const double done = number_at(run.progress, "done"), first = number_at(run.progress, "first"),
               total = number_at(run.progress, "total"), at = number_at(run.progress, "at");
  if (run.activity != Activity::kRunning || done <= first || total <= done) return std::nullopt;
  const double each = (at - number_at(run.progress, "begun")) / (done - first);
  return std::max(0.0, each * (total - done) - (now - at));
}

std::string bar_line(const RunFolder& run, size_t width, const ScreenStyle& style) {
  const Distance distance = distance_of(run);
  const std::string what = distance.phase == "train" ? "step" : distance.phase,
                    done = grouped(std::llround(distance.done));
  if (!(distance.total > 0))
    return distance.done > 0 ? screen_text(what + " " + done, width, style) : "";
  const double share = std::clamp(distance.done / distance.total, 0.0, 1.0);
  const std::string count =
      screen_text(what + " " + done + "/" + grouped(std::llround(distance.total)), width, style);
  const std::string percent = number_text(std::floor(share * 100), 3) + " %";
  const size_t taken = screen_width(count) + 10;
  if (taken + 4 > width) return count;
  return painted(progress_bar(share, width - taken, style), color_of(run.activity), style) + "  " +
         std::string(6 - percent.size(), ' ') + percent + "  " + count;
}

std::string clock_line(const RunFolder& run, size_t width, const ScreenStyle& style, double now) {
  std::vector<std::string> words;
  const double begun = number_at(run.progress, "begun"), at = number_at(run.progress, "at");
  switch (run.activity) {
    case Activity::kWaiting:
      words = {"not begun yet"};
      break;
    case Activity::kRunning:
      if (begun > 0) words.push_back(clock_text(now - begun) + " so far");
      if (const auto left = time_left(run, now)) words.push_back(clock_text(*left) + " left");
      if (at > 0 && now - at > kSilence) words.push_back("silent for " + clock_text(now - at));
      break;
    case Activity::kStopped:
      words = {"the same command goes on from the newest checkpoint"};
      break;
    case Activity::kFinished:
      words = {"took " + clock_text(number_at(under(run.record, {"results"}), "seconds"))};
  }
  return painted(screen_text(dotted(words, style), width, style), kDim, style);
}

/// "loss      0.4321  ▇▆▅▄▃▂▁   0.43 – 0.69"
std::string series_line(const std::string& name, const MetricLog& metrics, size_t label,
                        size_t width, const ScreenStyle& style) {
  std::vector<double> values;
  double low = INFINITY, high = -INFINITY;
  for (const MetricLog::Point& point : metrics.curve(name)) {
    values.push_back(point.value);
    if (!std::isfinite(point.value)) continue;
    low = std::min(low, point.value), high = std::max(high, point.value);
  }
  const bool with_range = width >= kWithRange;
  const size_t used = label + kValue + 4 + (with_range ? kRange + 2 : 0);
  const std::string spark = sparkline(values, width - std::min(width, used), style);
  std::string line =
      screen_cell(metric_label(name), label, style) + "  " +
      painted(screen_cell(metric_text(name, values.back()), kValue, style, true), kBold, style) +
      "  " + painted(spark, kCyan, style);
  if (!with_range || !(low < high)) return line;
  const std::string range =
      metric_text(name, low) + (style.unicode ? " – " : " - ") + metric_text(name, high);
  return line + std::string(width - used - screen_width(spark) + 2, ' ') +
         painted(screen_text(range, kRange, style), kDim, style);
}

}  // namespace

LiveView::LiveView(std::string folder) : top_(look_at_run(folder)), run_(top_) { refresh(); }

void LiveView::refresh() {
  attune::refresh(top_);
  stages_.clear();
  std::string chosen = top_.path;
  bool running = false;
  for (const std::string& name : top_.stages()) {
    const std::string path = (fs::path(top_.path) / name).string();
    const RunFolder stage = look_at_run(path, 0);
    stages_.push_back({name, stage.activity});
    if (stage.activity == Activity::kWaiting) continue;
    if (!running) chosen = path;
    running |= stage.activity == Activity::kRunning;
  }
  if (chosen == run_.path)
    attune::refresh(run_);
  else
    run_ = look_at_run(chosen);
  log_.clear();
  for (const std::string& line : last_lines(fs::path(run_.path) / "log.txt", kLogLines))
    log_.push_back(short_time(line));
  samples_ = newest_samples(run_.path);
}

std::vector<std::string> LiveView::frame(size_t width, size_t height, const ScreenStyle& style,
                                         double now) const {
  std::vector<std::string> lines;
  const std::string state = activity_name(run_.activity);
  const size_t room = width - std::min(width, state.size() + 2);
  lines.push_back(painted(screen_cell(title_of(run_, room), room, style), kBold, style) + "  " +
                  painted(screen_text(state, width, style), color_of(run_.activity), style));
  if (const std::string what = dotted(headline(run_), style); !what.empty())
    lines.push_back(screen_text(what, width, style));
  if (!stages_.empty()) lines.push_back(stage_line(width, style));
  if (const std::string bar = bar_line(run_, width, style); !bar.empty()) lines.push_back(bar);
  lines.push_back(clock_line(run_, width, style, now));

  std::vector<std::string> notes;
  const auto add = [&](const char* title, const std::vector<std::string>& texts) {
    if (texts.empty()) return;
    notes.push_back("");
    notes.push_back(painted(title, kBold, style));
    for (const std::string& text : texts) notes.push_back(screen_text(text, width, style));
  };
  add("newest answers", samples_);
  add("log", log_);

  std::vector<std::string> names = ordered_metrics(run_.metrics.names());
  const size_t free = height - std::min(height, lines.size() + 1);
  if (names.size() > std::max(kFewSeries, free - std::min(free, notes.size())))
    names.resize(std::max(kFewSeries, free - std::min(free, notes.size())));
  size_t label = 0;
  for (const std::string& name : names) label = std::max(label, screen_width(metric_label(name)));
  label = std::min(label, std::max<size_t>(14, width / 4));
  if (!names.empty()) lines.push_back("");
  for (const std::string& name : names)
    lines.push_back(series_line(name, run_.metrics, label, width, style));
  lines.insert(lines.end(), notes.begin(), notes.end());
  if (lines.size() > height) lines.resize(height);
  return lines;
}

std::string LiveView::stage_line(size_t width, const ScreenStyle& style) const {
  std::string line;
  size_t used = 0;
  for (const Stage& stage : stages_) {
    const char* mark = stage.activity == Activity::kFinished  ? (style.unicode ? "✓" : "+")
                       : stage.activity == Activity::kRunning ? (style.unicode ? "▶" : ">")
                       : stage.activity == Activity::kStopped ? "!"
                                                              : (style.unicode ? "·" : ".");
    const std::string word = std::string(mark) + " " + screen_text(stage.name, width, style);
    const size_t columns = screen_width(word) + (used ? 2 : 0);
    if (used + columns > width) break;
    line += (used ? "  " : "") + painted(word, color_of(stage.activity), style);
    used += columns;
  }
  return line;
}

}  // namespace attune
