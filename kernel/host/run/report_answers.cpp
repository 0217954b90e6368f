// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/report_answers.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "kernel/host/run/html.h"
#include "kernel/host/services/progress.h"

namespace attune {
namespace {

constexpr size_t kPrompts = 6, kLetters = 2000, kLines = 1000;

struct Answer {
  std::string prompt, text;
};

/// The rows of answers.jsonl, by id, in their order.
std::vector<std::pair<std::string, Answer>> answers_of(const RunFolder& run) {
  std::vector<std::pair<std::string, Answer>> made;
  std::ifstream lines(std::filesystem::path(run.path) / "answers.jsonl");
  for (std::string line; made.size() < kLines && std::getline(lines, line);) {
    const Json row = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    const Json &prompt = under(row, {"prompt"}), &text = under(row, {"text"}),
               &id = under(row, {"id"});
    if (!prompt.is_string() || !text.is_string()) continue;
    const std::string name = id.is_string() ? id.get<std::string>() : prompt.get<std::string>();
    made.emplace_back(name, Answer{prompt, text});
  }
  return made;
}

/// The text, cut between two characters where it is long.
std::string shown(const std::string& text) {
  if (text.empty()) return "<span class=\"soft\">(blank)</span>";
  if (text.size() <= kLetters) return html_text(text);
  size_t end = kLetters;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return html_text(text.substr(0, end)) + " <span class=\"soft\">(" +
         grouped(int64_t(text.size() - end)) + " bytes more)</span>";
}

}  // namespace

std::string answers_html(const std::vector<RunFolder>& runs,
                         const std::vector<std::string>& labels) {
  std::vector<std::string> names;
  std::vector<std::vector<std::pair<std::string, Answer>>> columns;
  for (size_t i = 0; i < runs.size(); ++i) {
    auto answers = answers_of(runs[i]);
    if (answers.empty()) continue;
    names.push_back(labels[i]);
    columns.push_back(std::move(answers));
  }
  if (columns.empty()) return "";
  std::string made;
  for (size_t p = 0; p < std::min(kPrompts, columns[0].size()); ++p) {
    const auto& [id, first] = columns[0][p];
    made += "<article><h3>" + html_text(first.prompt) + "</h3><div class=\"answers\">";
    for (size_t c = 0; c < columns.size(); ++c) {
      const auto found = std::find_if(columns[c].begin(), columns[c].end(),
                                      [&](const auto& row) { return row.first == id; });
      if (found == columns[c].end()) continue;
      made += "<div><h4>" + html_text(names[c]) + "</h4><pre dir=\"auto\">" +
              shown(found->second.text) + "</pre></div>";
    }
    made += "</div></article>";
  }
  return made;
}

}  // namespace attune
