// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/data_statistics.h"

#include <algorithm>
#include <cstdio>

#include "kernel/host/run/layout.h"
#include "kernel/host/services/sample_text.h"
#include "kernel/host/services/tokenizer.h"

namespace attune {
namespace {

const char* shape_of(const attune_sample& sample) {
  if (sample.n_views == 2) return "pair";
  if (sample.n_views > 2) return "ranking";
  return sample.n_prompt == sample.views[0].n_turns ? "prompt" : "supervised";
}

std::string share(double part, double whole) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", whole > 0 ? 100 * part / whole : 0.0);
  return text;
}

std::string number(const Json& value) {
  if (!value.is_number_float()) return value.dump();
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value.get<double>());
  return text;
}

constexpr std::pair<const char*, const char*> kRows[] = {{"turns", "turns"},
                                                         {"prompt_tokens", "prompt"},
                                                         {"answer_tokens", "answer"},
                                                         {"conversation_tokens", "conversation"}};
constexpr const char* kColumns[] = {"mean", "p50", "p90", "p99", "max", "sum"};

/// What statistics say in words, a line each.
std::vector<std::string> sentences(const Json& of, int64_t max_length) {
  std::vector<std::string> lines;
  const double tokens = of.at("conversation_tokens").at("sum").get<double>(),
               conversations = of.at("conversations").get<double>();
  lines.push_back(of["scored_tokens"].dump() + " of " + number(of["conversation_tokens"]["sum"]) +
                  " tokens are scored (" + share(of["scored_tokens"].get<double>(), tokens) + ")");
  if (max_length > 0) {
    lines.push_back(of["longer"].dump() + " of " + of["conversations"].dump() + " conversations (" +
                    share(of["longer"].get<double>(), conversations) +
                    ") are longer than max_length = " + std::to_string(max_length) +
                    " and would lose " + of["tokens_cut"].dump() + " tokens");
  }
  lines.push_back(of["duplicates"].dump() + " duplicates; " + of["prompts_repeated"].dump() +
                  " prompts stand in more than one sample");
  lines.push_back(of["judged_again"].dump() +
                  " samples judge the prompt and answers of an earlier one, " +
                  of["disagree"].dump() + " of them otherwise");
  return lines;
}

std::string escaped(const std::string& text) {
  std::string made;
  for (const char c : text)
    made += c == '<' ? "&lt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return made;
}

}  // namespace

void DataStatistics::add(const attune_sample& sample) {
  ++samples_;
  const char* shape = shape_of(sample);
  shapes_[shape] = shapes_.value(shape, 0) + 1;
  for (size_t v = 0; v < sample.n_views; ++v) {
    const std::span<const attune_turn> turns(sample.views[v].turns, sample.views[v].n_turns);
    const Rendering rendering = tokenizer_.render(turns, false);
    const auto scored = scored_spans(rendering, turns, sample.n_prompt, scored_);
    const Encoding encoding = tokenizer_.encode(rendering.text, false);
    size_t prompt_end = 0;
    for (const attune_span& span : rendering.spans) {
      if (span.turn >= sample.n_prompt) {
        prompt_end = span.begin;
        break;
      }
      prompt_end = span.end;
    }
    int64_t in_prompt = 0, covered = 0;
    for (const attune_token_offset& offset : encoding.offsets) {
      in_prompt += offset.end <= prompt_end;
      covered += std::any_of(scored.begin(), scored.end(), [&](const attune_span& span) {
        return offset.begin < span.end && offset.end > span.begin;
      });
    }
    const auto length = int64_t(encoding.ids.size());
    turns_.add(int64_t(turns.size()));
    if (v == 0) prompt_.add(in_prompt);
    answer_.add(length - in_prompt);
    conversation_.add(length);
    scored_tokens_ += covered;
    if (max_length_ > 0 && length > max_length_) ++longer_, cut_ += length - max_length_;
  }
  const std::string judgement = judgement_key(sample);
  if (!judgements_.insert(judgement).second) ++duplicates_;
  const auto [first, fresh] = contents_.try_emplace(content_key(sample), judgement);
  if (!fresh) {
    ++judged_again_;
    disagree_ += first->second != judgement;
  }
  if (++prompts_[prompt_key(sample)] == 2) ++prompts_repeated_;
}

Json DataStatistics::json() const {
  return {{"samples", samples_},
          {"conversations", conversation_.json()["n"]},
          {"shapes", shapes_},
          {"turns", turns_.json()},
          {"prompt_tokens", prompt_.json()},
          {"answer_tokens", answer_.json()},
          {"conversation_tokens", conversation_.json()},
          {"scored_tokens", scored_tokens_},
          {"longer", longer_},
          {"tokens_cut", cut_},
          {"duplicates", duplicates_},
          {"prompts_repeated", prompts_repeated_},
          {"judged_again", judged_again_},
          {"disagree", disagree_}};
}

std::string statistics_text(const Json& of, int64_t max_length) {
  constexpr size_t kLabel = 14, kCell = 9;
  const auto right = [](const std::string& text) {
    return std::string(text.size() < kCell ? kCell - text.size() : 1, ' ') + text;
  };
  std::string text = std::string(kLabel, ' ');
  for (const char* column : kColumns) text += right(column);
  text += "\n";
  for (const auto& [key, label] : kRows) {
    text +=
        "  " + std::string(label) + std::string(kLabel - 2 - std::string_view(label).size(), ' ');
    for (const char* column : kColumns) text += right(number(of.at(key).at(column)));
    text += "\n";
  }
  for (const std::string& line : sentences(of, max_length)) text += "  " + line + "\n";
  return text + "  tokens of a conversation:\n" + bars(of.at("conversation_tokens").at("bins"), 40);
}

std::string statistics_html(const Json& entries, int64_t max_length) {
  std::string page =
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>Data</title>"
      "<style>:root{color-scheme:light "
      "dark;--bar:#3b6ea8}@media(prefers-color-scheme:dark){:root{--bar:#7fb0e6}}"
      "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 "
      "1rem}table{border-collapse:collapse}"
      "td,th{padding:.2rem "
      ".8rem;text-align:right}td:first-child{text-align:left}svg{max-width:100%}svg "
      "text{font-size:12px;fill:currentColor}"
      "rect{fill:var(--bar)}h2{overflow-wrap:anywhere}div{overflow-x:auto}</style>";
  for (const Json& entry : entries) {
    const Json& of = entry.at("statistics");
    page +=
        "<h2>" + escaped(entry.at("title").get<std::string>()) + "</h2><div><table><tr><th></th>";
    for (const char* column : kColumns) page += "<th>" + std::string(column) + "</th>";
    page += "</tr>";
    for (const auto& [key, label] : kRows) {
      page += "<tr><td>" + std::string(label) + "</td>";
      for (const char* column : kColumns) page += "<td>" + number(of.at(key).at(column)) + "</td>";
      page += "</tr>";
    }
    page += "</table></div><ul>";
    for (const std::string& line : sentences(of, max_length)) page += "<li>" + line + "</li>";
    page += "</ul>";
    for (const auto& [key, label] : kRows) {
      page += "<h3>" + std::string(label) + (std::string_view(label) == "turns" ? "" : ": tokens") +
              "</h3>" + svg_bars(of.at(key).at("bins"));
    }
  }
  return page + "</html>\n";
}

}  // namespace attune
