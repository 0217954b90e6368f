// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/sample_text.h"

#include <algorithm>

#include "kernel/host/json.h"
#include "kernel/host/services/digest.h"

namespace attune {
namespace {

std::string digest(const std::vector<std::string>& parts) {
  Sha256 made;
  for (const std::string& part : parts) made.add_sized(part);
  return made.hex().substr(0, 32);
}

std::string turns_key(const attune_view& view, size_t from, size_t to) {
  std::vector<std::string> parts;
  for (size_t t = from; t < std::min(to, view.n_turns); ++t) {
    parts.push_back(string(view.turns[t].role));
    parts.push_back(turn_text(view.turns[t]));
  }
  return digest(parts);
}

std::vector<std::string> answer_keys(const attune_sample& sample) {
  std::vector<std::string> keys;
  for (size_t v = 0; v < sample.n_views; ++v)
    keys.push_back(turns_key(sample.views[v], sample.n_prompt, SIZE_MAX));
  return keys;
}

constexpr uint64_t kFnvStart = 0xcbf29ce484222325, kFnvPrime = 0x100000001b3;

}  // namespace

std::string turn_text(const attune_turn& turn) {
  std::string text;
  for (size_t p = 0; p < turn.n_parts; ++p) {
    const attune_part& part = turn.parts[p];
    if (part.kind != ATTUNE_TEXT) text.append("\x1f").append(view(part.uri)).append("\x1f");
    text.append(static_cast<const char*>(part.data.data), part.data.size);
  }
  return text;
}

std::string prompt_key(const attune_sample& sample) {
  return turns_key(sample.views[0], 0, sample.n_prompt);
}

std::string content_key(const attune_sample& sample) {
  std::vector<std::string> parts = answer_keys(sample);
  std::sort(parts.begin(), parts.end());
  parts.push_back(prompt_key(sample));
  return digest(parts);
}

std::string judgement_key(const attune_sample& sample) {
  std::vector<std::string> parts = answer_keys(sample);
  parts.push_back(prompt_key(sample));
  for (size_t v = 0; v < sample.n_views; ++v)
    parts.push_back(std::to_string(sample.views[v].rating));
  if (sample.labels)
    parts.push_back(to_json(*sample.labels).dump(-1, ' ', false, Json::error_handler_t::replace));
  return digest(parts);
}

std::vector<uint64_t> words_of(std::string_view text) {
  std::vector<uint64_t> words;
  uint64_t hash = kFnvStart;
  for (size_t i = 0; i <= text.size(); ++i) {
    const unsigned char c = i < text.size() ? static_cast<unsigned char>(text[i]) : ' ';
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80) {
      hash = (hash ^ static_cast<unsigned char>(upper ? c + 32 : c)) * kFnvPrime;
    } else if (hash != kFnvStart) {
      words.push_back(hash);
      hash = kFnvStart;
    }
  }
  return words;
}

std::vector<uint64_t> ngrams_of(const std::vector<uint64_t>& words, size_t n) {
  std::vector<uint64_t> made;
  for (size_t i = 0; i + n <= words.size(); ++i) {
    uint64_t hash = kFnvStart;
    for (size_t k = 0; k < n; ++k) {
      hash ^= words[i + k];
      hash *= 0x9e3779b97f4a7c15;
      hash ^= hash >> 29;
    }
    made.push_back(hash);
  }
  return made;
}

}  // namespace attune
