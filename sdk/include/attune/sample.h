// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <deque>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "attune/abi.h"
#include "attune/error.h"
#include "attune/value.h"

namespace attune {

/// One turn of text, as an author writes it.
struct Message {
  std::string role;
  std::string text;
  double weight = 1.0;
};

/// A text-only conversation with what is known about its answer.
struct Conversation {
  std::vector<Message> messages;
  double rating = std::numeric_limits<double>::quiet_NaN();
  std::string feedback;
};

/// Owns a sample and keeps its C form valid. Movable; `c()` points into it.
class SampleBuilder {
 public:
  SampleBuilder() = default;
  // What it holds points into it: moving keeps the addresses, copying would not.
  SampleBuilder(SampleBuilder&&) noexcept = default;
  SampleBuilder& operator=(SampleBuilder&&) noexcept = default;
  SampleBuilder(const SampleBuilder&) = delete;
  SampleBuilder& operator=(const SampleBuilder&) = delete;

  /// A copy of a borrowed sample, of any modality.
  static SampleBuilder copy(const attune_sample& sample) {
    SampleBuilder made;
    made.id(view(sample.id)).prompt_turns(sample.n_prompt);
    for (size_t v = 0; v < sample.n_views; ++v) made.add_view(sample.views[v]);
    if (sample.size >= ATTUNE_END(attune_sample, labels) && sample.labels) made.labels_ = made.copy_value(*sample.labels), made.has_labels_ = true;
    return made;
  }

  SampleBuilder& id(std::string_view id) { return id_ = arena_.keep(id), *this; }
  /// How many leading turns every view shares and nothing scores.
  SampleBuilder& prompt_turns(size_t n) { return n_prompt_ = n, *this; }
  SampleBuilder& labels(attune_value map) { return labels_ = copy_value(map), has_labels_ = true, *this; }
  SampleBuilder& label(std::string_view name, std::string_view text) {
    return labels(scratch_.map({{name, scratch_.text(text)}}));
  }

  SampleBuilder& add(const Conversation& conversation) {
    auto& turns = turns_.emplace_back();
    for (const Message& message : conversation.messages) {
      auto& parts = parts_.emplace_back(1);
      const attune_str text = arena_.keep(message.text);
      parts[0] = {ATTUNE_TEXT, 0, {}, {}, {text.data, text.size}};
      turns.push_back({arena_.keep(message.role), parts.data(), 1, message.weight});
    }
    views_.push_back({turns.data(), turns.size(), conversation.rating, arena_.keep(conversation.feedback)});
    return *this;
  }

  SampleBuilder& add_view(const attune_view& source) {
    auto& turns = turns_.emplace_back();
    for (size_t t = 0; t < source.n_turns; ++t) {
      auto& parts = parts_.emplace_back();
      for (size_t p = 0; p < source.turns[t].n_parts; ++p) {
        const attune_part& part = source.turns[t].parts[p];
        const attune_str data = arena_.keep({static_cast<const char*>(part.data.data), part.data.size});
        parts.push_back({part.kind, part.flags, arena_.keep(view(part.mime)), arena_.keep(view(part.uri)), {data.data, data.size}});
      }
      turns.push_back({arena_.keep(view(source.turns[t].role)), parts.data(), parts.size(), source.turns[t].weight});
    }
    views_.push_back({turns.data(), turns.size(), source.rating, arena_.keep(view(source.feedback))});
    return *this;
  }

  /// Valid until the builder changes or goes.
  attune_sample c() const {
    return {ATTUNE_END(attune_sample, labels), 0, id_, views_.data(), views_.size(), n_prompt_, has_labels_ ? &labels_ : nullptr};
  }

 private:
  attune_value copy_value(const attune_value& source) {
    attune_value made = source;
    made.text = arena_.keep(view(source.text));
    if (source.type == ATTUNE_LIST) {
      std::vector<attune_value> items;
      for (size_t i = 0; i < source.n_items; ++i) items.push_back(copy_value(source.items[i]));
      return arena_.list(std::move(items));
    }
    if (source.type == ATTUNE_MAP) {
      std::vector<std::pair<std::string_view, attune_value>> members;
      for (size_t i = 0; i < source.n_items; ++i) members.emplace_back(view(source.keys[i]), copy_value(source.items[i]));
      return arena_.map(members);
    }
    return made;
  }

  Arena arena_, scratch_;
  std::deque<std::vector<attune_part>> parts_;
  std::deque<std::vector<attune_turn>> turns_;
  std::vector<attune_view> views_;
  attune_str id_{};
  size_t n_prompt_ = 0;
  attune_value labels_{};
  bool has_labels_ = false;
};

/// The text of a turn that is text only. Throws Error naming `who` where it has a part of another kind.
inline std::string text_of(const attune_turn& turn, std::string_view who) {
  std::string text;
  for (size_t p = 0; p < turn.n_parts; ++p) {
    static constexpr const char* names[] = {"?", "text", "an image", "audio", "video"};
    const int kind = turn.parts[p].kind;
    if (kind != ATTUNE_TEXT) {
      throw Error(std::string(who) + " reads text only, but a turn of `" + string(turn.role) + "` has " +
                      names[kind >= 1 && kind <= 4 ? kind : 0] + "; use a model that reads it, or drop the part",
                  ATTUNE_E_UNSUPPORTED);
    }
    text.append(static_cast<const char*>(turn.parts[p].data.data), turn.parts[p].data.size);
  }
  return text;
}

}  // namespace attune
