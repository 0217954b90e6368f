// SPDX-License-Identifier: Apache-2.0
#include "nn/text_encoding.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <span>
#include <string>

#include "attune/error.h"
#include "attune/sample.h"

namespace attune::nn {
namespace {

/// One view as tokens; weight 0 where a token is not scored.
struct Path {
  std::vector<int64_t> ids;
  std::vector<float> weights;
  std::vector<int64_t> step_ends;  ///< last token of each step that is there; empty unless asked for
};

/// A view's text with where each turn's content lies.
struct Text {
  Rendering rendering;
  Encoding encoding;
};

bool answers(const attune_sample& sample, const attune_turn& turn, size_t index) {
  return index >= sample.n_prompt && view(turn.role) == "assistant" && turn.weight > 0;
}

/// Whether a turn of the view is learned from.
bool scored(const attune_sample& sample, std::span<const attune_turn> turns, size_t index, EncodeOptions::Scored what) {
  if (what == EncodeOptions::Scored::kLast) {
    for (size_t later = index + 1; later < turns.size(); ++later) {
      if (answers(sample, turns[later], later)) return false;
    }
  }
  return answers(sample, turns[index], index);
}

std::optional<Text> templated(std::span<const attune_turn> turns, const Tokenizer& tokenizer) {
  try {
    Text made{tokenizer.render(turns, false), {}};
    made.encoding = tokenizer.encode(made.rendering.text, false);
    return made;
  } catch (const Error& error) {
    if (error.code() != ATTUNE_E_UNSUPPORTED) throw;
    return std::nullopt;
  }
}

Text plain(std::span<const attune_turn> turns, const Tokenizer& tokenizer, std::string_view who) {
  Text made;
  std::string& text = made.rendering.text;
  for (size_t t = 0; t < turns.size(); ++t) {
    const size_t begin = text.size();
    text += text_of(turns[t], who);
    made.rendering.spans.push_back({begin, text.size(), t});
  }
  made.encoding = tokenizer.encode(text, false);
  auto& [ids, offsets] = made.encoding;
  const int64_t bos = tokenizer.token("bos"), eos = tokenizer.token("eos");
  const std::vector<int64_t> with_special = tokenizer.encode(text, true).ids;
  if (bos >= 0 && !with_special.empty() && with_special[0] == bos &&
      (ids.empty() || ids[0] != bos)) {
    ids.insert(ids.begin(), bos);
    offsets.insert(offsets.begin(), {0, 0});
  }
  if (eos >= 0 && !turns.empty() && view(turns.back().role) == "assistant") {
    ids.push_back(eos);
    offsets.push_back({text.size(), text.size()});
  }
  return made;
}

class Scorer {
 public:
  Scorer(const Text& text, const Tokenizer& tokenizer)
      : text_(text.rendering.text),
        tokens_(text.encoding),
        tokenizer_(tokenizer),
        eos_(tokenizer.token("eos")) {}

  /// Weighs the tokens of one turn's content and the one that ends it.
  void score(const attune_span& content, float weight, std::vector<float>& weights) const {
    size_t next = 0;
    for (; next < tokens_.ids.size() && begin(next) < content.end; ++next) {
      if (end(next) > content.begin) weights[next] = weight;
    }
    // Added tokens have no bytes: a BOS before an empty content at 0 does not end it.
    while (next < tokens_.ids.size() && begin(next) == 0 && end(next) == 0 &&
           tokens_.ids[next] != eos_)
      ++next;
    if (next == tokens_.ids.size() || begin(next) != content.end) return;
    if (ends_turn(next)) {
      weights[next] = weight;
      return;
    }
    size_t last = next;
    while (last < tokens_.ids.size() && is_space(last)) ++last;
    if (last < tokens_.ids.size() && tokens_.ids[last] == eos_) {
      std::fill(weights.begin() + static_cast<ptrdiff_t>(next),
                weights.begin() + static_cast<ptrdiff_t>(last) + 1, weight);
    }
  }

 private:
  size_t begin(size_t token) const { return tokens_.offsets[token].begin; }
  size_t end(size_t token) const { return tokens_.offsets[token].end; }
  bool is_space(size_t token) const {
    const std::string_view bytes =
        std::string_view(text_).substr(begin(token), end(token) - begin(token));
    return !bytes.empty() && bytes.find_first_not_of(" \t\r\n") == bytes.npos;
  }
  bool ends_turn(size_t token) const {
    const int64_t id = tokens_.ids[token];
    return id == eos_ || (tokenizer_.decode({&id, 1}, true).empty() &&
                          !tokenizer_.decode({&id, 1}, false).empty());
  }

  const std::string& text_;
  const Encoding& tokens_;
  const Tokenizer& tokenizer_;
  const int64_t eos_;
};

[[noreturn]] void refuse(const attune_sample& sample, size_t index, std::string_view who,
                         const std::string& why) {
  const std::string id = string(sample.id);
  throw Error(std::string(who) + ": sample " + (id.empty() ? "without an id" : "\"" + id + "\"") +
              ", view " + std::to_string(index) + " has nothing to score: " + why);
}

[[noreturn]] void refuse_length(const attune_sample& sample, size_t index, std::string_view who, int64_t length, int64_t limit) {
  throw Error(std::string(who) + ": sample \"" + string(sample.id) + "\", view " + std::to_string(index) + " has " +
              std::to_string(length) + " tokens, more than max_length = " + std::to_string(limit));
}

std::string why_unscored(const attune_sample& sample, std::span<const attune_turn> turns) {
  bool assistant = false;
  for (size_t t = sample.n_prompt; t < turns.size(); ++t) {
    if (answers(sample, turns[t], t))
      return "the answer is empty and the chat template puts no end token behind it, or it drops "
             "the turn";
    assistant |= view(turns[t].role) == "assistant";
  }
  return assistant ? "every assistant turn after the prompt has weight 0"
                   : "there is no assistant turn after the prompt (" +
                         std::to_string(sample.n_prompt) + " turns)";
}

/// The last token that has a byte of each text part of a turn.
std::vector<int64_t> ends_of_parts(const attune_turn& turn, const attune_span& content, const Encoding& tokens) {
  std::vector<int64_t> ends;
  size_t end = content.begin, next = 0;
  for (size_t p = 0; p < turn.n_parts; ++p) {
    end = std::min(end + turn.parts[p].data.size, content.end);
    while (next < tokens.offsets.size() && tokens.offsets[next].begin < end) ++next;
    ends.push_back(static_cast<int64_t>(next) - 1);
  }
  return ends;
}

Path path_of(const attune_sample& sample, size_t index, const Tokenizer& tokenizer,
             const EncodeOptions& options, std::string_view who) {
  const int64_t max_length = options.max_length;
  const std::span<const attune_turn> turns(sample.views[index].turns, sample.views[index].n_turns);
  for (const attune_turn& turn : turns) text_of(turn, who);  // Refuses other parts.
  std::optional<Text> text = templated(turns, tokenizer);
  if (!text) text = plain(turns, tokenizer, who);

  Path path{text->encoding.ids, std::vector<float>(text->encoding.ids.size()), {}};
  const Scorer scorer(*text, tokenizer);
  for (const attune_span& span : text->rendering.spans) {
    if (span.turn < turns.size() && scored(sample, turns, span.turn, options.scored)) {
      scorer.score(span, static_cast<float>(turns[span.turn].weight), path.weights);
      if (options.marks == EncodeOptions::Marks::kSteps) path.step_ends = ends_of_parts(turns[span.turn], span, text->encoding);
    }
  }
  if (options.scored == EncodeOptions::Scored::kAll) std::ranges::fill(path.weights, 1.0f);
  if (!path.weights.empty()) path.weights[0] = 0;

  const auto cut = [&](int64_t rows) { path.ids.resize(rows), path.weights.resize(rows); };
  const auto last = [&] {
    auto end = static_cast<int64_t>(path.weights.size());
    while (end > 0 && path.weights[end - 1] == 0) --end;
    return end;
  };
  const auto whole = static_cast<int64_t>(path.ids.size());
  if (last() == 0 && options.marks == EncodeOptions::Marks::kLast && whole > 0) {
    if (max_length > 0 && whole > max_length) cut(max_length);
    return path;
  }
  if (last() == 0) refuse(sample, index, who, why_unscored(sample, turns));
  if (max_length > 0 && whole > max_length && options.truncation == EncodeOptions::Truncation::kRefuse) {
    refuse_length(sample, index, who, whole, max_length);
  }
  if (max_length > 0 && whole > max_length) cut(max_length);
  if (last() == 0) {
    refuse(sample, index, who,
           "its first scored token lies beyond max_length = " + std::to_string(max_length) +
               " (the whole has " + std::to_string(whole) +
               " tokens); raise max_length or shorten the prompt");
  }
  // A head that judges the whole reads its last token, as Transformers does, even where the template ends behind the answer.
  if (options.marks != EncodeOptions::Marks::kLast) cut(last());
  while (!path.step_ends.empty() && path.step_ends.back() >= static_cast<int64_t>(path.ids.size())) path.step_ends.pop_back();
  return path;
}

/// How many tokens all paths begin with.
int64_t common_prefix(const std::vector<Path>& paths) {
  size_t length = paths[0].ids.size();
  for (const Path& path : paths) {
    const auto [a, b] =
        std::mismatch(paths[0].ids.begin(), paths[0].ids.begin() + static_cast<ptrdiff_t>(length),
                      path.ids.begin(), path.ids.end());
    length = static_cast<size_t>(a - paths[0].ids.begin());
  }
  return static_cast<int64_t>(length);
}

}  // namespace

namespace {

/// The sample without its oldest turns: as many turns of the prompt, behind a system turn and up to the next user turn, as
/// must go for every view to fit.
SampleBuilder shortened(const attune_sample& sample, const Tokenizer& tokenizer, const EncodeOptions& options, std::string_view who) {
  EncodeOptions whole = options;
  whole.max_length = 0;
  size_t kept = sample.n_prompt > 0 && view(sample.views[0].turns[0].role) == "system" ? 1 : 0, first = kept;
  while (true) {
    SampleBuilder made;
    made.id(view(sample.id)).prompt_turns(kept + sample.n_prompt - first);
    std::vector<std::vector<attune_turn>> turns;
    for (size_t v = 0; v < sample.n_views; ++v) {
      attune_view shorter = sample.views[v];
      auto& left = turns.emplace_back(shorter.turns, shorter.turns + kept);
      left.insert(left.end(), shorter.turns + first, shorter.turns + shorter.n_turns);
      shorter.turns = left.data();
      shorter.n_turns = left.size();
      made.add_view(shorter);
    }
    const attune_sample c = made.c();
    int64_t longest = 0;
    for (size_t v = 0; v < c.n_views; ++v) {
      longest = std::max(longest, static_cast<int64_t>(path_of(c, v, tokenizer, whole, who).ids.size()));
    }
    if (longest <= options.max_length) return made;
    do {
      ++first;
    } while (first < sample.n_prompt && view(sample.views[0].turns[first].role) != "user");
    if (first >= sample.n_prompt) refuse_length(sample, 0, who, longest, options.max_length);
  }
}

}  // namespace

Encoded encode_text(const attune_sample& sample, const Tokenizer& tokenizer,
                    const EncodeOptions& options, std::string_view who) {
  if (options.truncation == EncodeOptions::Truncation::kTurns && options.max_length > 0) {
    const SampleBuilder fitting = shortened(sample, tokenizer, options, who);
    EncodeOptions plain = options;
    plain.truncation = EncodeOptions::Truncation::kEnd;
    return encode_text(fitting.c(), tokenizer, plain, who);
  }
  std::vector<Path> paths;
  for (size_t v = 0; v < sample.n_views; ++v)
    paths.push_back(path_of(sample, v, tokenizer, options, who));
  if (paths.empty())
    throw Error(std::string(who) + ": sample \"" + string(sample.id) +
                "\" has no view; expected one or more");

  Encoded made;
  made.sequences = static_cast<int64_t>(paths.size());
  const auto append = [&](const Path& path, int64_t first, int64_t last, int64_t parent) {
    const auto begin = static_cast<int64_t>(made.ids.size());
    made.ids.insert(made.ids.end(), path.ids.begin() + first, path.ids.begin() + last);
    for (int64_t position = first; position < last; ++position) made.positions.push_back(position);
    if (first < last) made.branches.push_back({begin, begin + last - first, parent});
    return begin;
  };
  const int64_t shared = options.share_prompt && paths.size() > 1 ? common_prefix(paths) : 0;
  append(paths[0], 0, shared, -1);
  for (size_t v = 0; v < paths.size(); ++v) {
    const Path& path = paths[v];
    const auto length = static_cast<int64_t>(path.ids.size());
    const int64_t begin = append(path, shared, length, shared > 0 ? 0 : -1);
    const auto row = [&](int64_t token) { return token < shared ? token : begin + token - shared; };
    if (options.marks == EncodeOptions::Marks::kLast) made.marks.push_back({row(length - 1), static_cast<int64_t>(v), 0});
    for (size_t step = 0; step < path.step_ends.size(); ++step) {
      made.marks.push_back({row(path.step_ends[step]), static_cast<int64_t>(v), static_cast<int64_t>(step)});
    }
    for (int64_t token = 1; token < length; ++token) {
      if (path.weights[token] > 0) {
        made.units.push_back(
            {row(token - 1), path.ids[token], static_cast<int64_t>(v), path.weights[token], 0});
      }
    }
  }
  return made;
}

}  // namespace attune::nn
