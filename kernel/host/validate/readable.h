// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <string>

#include "attune/sample.h"
#include "kernel/host/json.h"

/// Samples and requests as JSON that is easy to write down and to compare.
namespace attune {

/// {"views": [["user: Why?", "assistant: So."]], "n_prompt": 1}. Media parts read "<image uri>",
/// two parts of text stand apart by "|", a weight other than 1 reads " x0.5"; a rating is a number
/// and feedback "feedback: ..." after the turns; id and labels only where there are any.
inline Json readable(const attune_sample& sample) {
  static constexpr const char* kinds[] = {"?", "text", "image", "audio", "video"};
  Json views = Json::array();
  for (size_t v = 0; v < sample.n_views; ++v) {
    const attune_view& source = sample.views[v];
    Json turns = Json::array();
    for (size_t t = 0; t < source.n_turns; ++t) {
      const attune_turn& turn = source.turns[t];
      std::string text = string(turn.role) + ": ";
      for (size_t p = 0; p < turn.n_parts; ++p) {
        const attune_part& part = turn.parts[p];
        if (part.kind == ATTUNE_TEXT) {
          if (p > 0 && turn.parts[p - 1].kind == ATTUNE_TEXT) text.append("|");
          text.append(static_cast<const char*>(part.data.data), part.data.size);
        } else {
          text.append("<").append(kinds[part.kind]).append(" ").append(view(part.uri)).append(">");
        }
      }
      if (turn.weight != 1) text.append(" x").append(Json(turn.weight).dump());
      turns.push_back(text);
    }
    if (!std::isnan(source.rating)) turns.push_back(source.rating);
    if (source.feedback.size) turns.push_back("feedback: " + string(source.feedback));
    views.push_back(turns);
  }
  Json made = {{"views", views}, {"n_prompt", sample.n_prompt}};
  if (sample.id.size) made["id"] = string(sample.id);
  if (sample.labels) made["labels"] = to_json(*sample.labels);
  return made;
}

/// "generate 64 | user: Why?" or "likelihood 1 | user: Why? | assistant: So.", the number being max_tokens or n_prompt; stop
/// strings come last.
inline std::string readable(const attune_request& request) {
  const bool generate = request.kind == ATTUNE_REQUEST_GENERATE;
  std::string text = generate ? "generate " : request.kind == ATTUNE_REQUEST_VALUES ? "values " : "likelihood ";
  text.append(std::to_string(generate ? request.max_tokens : static_cast<int64_t>(request.n_prompt)));
  for (size_t t = 0; t < request.n_turns; ++t) {
    const attune_turn& turn = request.turns[t];
    text.append(" | ").append(view(turn.role)).append(": ").append(text_of(turn, "test"));
  }
  for (size_t s = 0; s < request.n_stops; ++s) text.append(" | stop ").append(view(request.stops[s]));
  return text;
}

}  // namespace attune
