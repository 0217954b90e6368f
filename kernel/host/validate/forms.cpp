// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/validate/forms.h"

#include <cmath>
#include <fstream>

#include "attune/text.h"

namespace attune::validate {
namespace {

std::string number_text(double number) { return std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf"; }

void check_text(attune_str text, const char* what) {
  if (text.size > 0 && !text.data) throw Failed(std::string(what) + ": expected bytes, found NULL with size " + std::to_string(text.size));
  if (utf8(view(text)) != view(text)) throw Failed(std::string(what) + ": expected UTF-8, found other bytes");
}

void check_turn(const attune_turn& turn) {
  check_text(turn.role, "the role of a turn");
  if (turn.n_parts > 0 && !turn.parts) throw Failed("a turn: expected parts, found NULL with n_parts " + std::to_string(turn.n_parts));
  if (!std::isfinite(turn.weight) || turn.weight < 0)
    throw Failed("the weight of a turn: expected a number of 0 or more, found " + std::to_string(turn.weight));
  for (size_t p = 0; p < turn.n_parts; ++p) {
    const attune_part& part = turn.parts[p];
    if (part.kind < ATTUNE_TEXT || part.kind > ATTUNE_VIDEO)
      throw Failed("the kind of a part: expected 1 to 4, found " + std::to_string(part.kind));
    if (part.kind == ATTUNE_TEXT) check_text({static_cast<const char*>(part.data.data), part.data.size}, "a text");
  }
}

/// "user: Hi" or ["user", "Hi"].
std::pair<std::string, std::string> role_and_text(const Json& json) {
  if (json.is_array() && json.size() == 2) return {json[0], json[1]};
  const std::string text = json.get<std::string>();
  const size_t colon = text.find(": ");
  if (colon == text.npos) throw Failed("a case: expected a turn \"role: text\", found \"" + text + "\"");
  return {text.substr(0, colon), text.substr(colon + 2)};
}

}  // namespace

Json plain(const attune_value& value) {
  const auto items = [&](size_t i) {
    if (!value.items) throw Failed("a value: expected items, found NULL with n_items " + std::to_string(value.n_items));
    return plain(value.items[i]);
  };
  switch (value.type) {
    case ATTUNE_NULL:
      return nullptr;
    case ATTUNE_BOOL:
      return value.integer != 0;
    case ATTUNE_INT:
      return value.integer;
    case ATTUNE_FLOAT:
      return std::isfinite(value.number) ? Json(value.number) : Json(number_text(value.number));
    case ATTUNE_STRING:
      return check_text(value.text, "a string"), string(value.text);
    case ATTUNE_BYTES:
      return {{"bytes", value.text.size}};
    case ATTUNE_LIST: {
      Json list = Json::array();
      for (size_t i = 0; i < value.n_items; ++i) list.push_back(items(i));
      return list;
    }
    case ATTUNE_MAP: {
      Json map = Json::object();
      for (size_t i = 0; i < value.n_items; ++i) {
        if (!value.keys) throw Failed("a map: expected keys, found NULL");
        check_text(value.keys[i], "a key");
        map[string(value.keys[i])] = items(i);
      }
      return map;
    }
    default:
      throw Failed("a value: expected a type from 0 to 7, found " + std::to_string(value.type));
  }
}

SampleBuilder sample_of(const Json& json) {
  SampleBuilder made;
  made.prompt_turns(json.value("n_prompt", size_t{1}));
  for (const Json& view : json.value("views", Json::array())) {
    Conversation conversation;
    for (const Json& turn : view) {
      if (turn.is_number()) {
        conversation.rating = turn;
      } else if (const auto [role, text] = role_and_text(turn); role == "feedback") {
        conversation.feedback = text;
      } else {
        conversation.messages.push_back({role, text});
      }
    }
    made.add(conversation);
  }
  Arena arena;
  if (json.contains("labels")) made.labels(to_value(json["labels"], arena));
  return made;
}

Turns::Turns(const Json& json) {
  for (const Json& one : json) {
    const auto [role, text] = role_and_text(one);
    const std::string& kept_role = texts_.emplace_back(role);
    const std::string& kept = texts_.emplace_back(text);
    parts_.push_back({ATTUNE_TEXT, 0, {}, {}, {kept.data(), kept.size()}});
    turns_.push_back({str(kept_role), &parts_.back(), 1, 1.0});
  }
}

void check_sample(const attune_sample& sample) {
  if (sample.size < ATTUNE_END(attune_sample, n_prompt))
    throw Failed("a sample: expected a size of 48 or more, found " + std::to_string(sample.size));
  check_text(sample.id, "the id of a sample");
  if (sample.n_views > 0 && !sample.views) throw Failed("a sample: expected views, found NULL");
  for (size_t v = 0; v < sample.n_views; ++v) {
    const attune_view& view = sample.views[v];
    if (view.n_turns > 0 && !view.turns) throw Failed("a view: expected turns, found NULL");
    check_text(view.feedback, "the feedback of a view");
    for (size_t t = 0; t < view.n_turns; ++t) check_turn(view.turns[t]);
  }
  if (sample.size >= ATTUNE_END(attune_sample, labels) && sample.labels && sample.labels->type != ATTUNE_MAP)
    throw Failed("the labels of a sample: expected a map, found another value");
}

Answer called(Witness& witness, const std::string& function, const SinkRule& rule, const std::function<int32_t()>& body) {
  const Answer answer = witness.call(function, body, rule.refuse_at >= 0 ? &rule.refusal : nullptr);
  if (rule.refused && answer.code != rule.refusal) {
    throw Failed(function + " returned " + std::to_string(answer.code) + " where its sink had refused with " +
                 std::to_string(rule.refusal) + "; return that value at once");
  }
  return answer;
}

std::string first_missing(std::initializer_list<Member> members) {
  for (const Member& member : members) {
    if (!member.there) return std::string("lacks `") + member.name + "`: it is NULL, or `size` ends before it";
  }
  return "";
}

std::string with_file(std::string message, const std::string& path) {
  for (size_t at = message.find(path); !path.empty() && at != message.npos; at = message.find(path, at + 4))
    message.replace(at, path.size(), "FILE");
  return message;
}

Json nested(int depth) {
  Json made = "x";
  for (int i = 0; i < depth; ++i) made = Json::array({std::move(made)});
  return made;
}

void scribble(const attune_value& value) {
  const auto overwrite = [](attune_str text) { std::fill_n(const_cast<char*>(text.data), text.size, '~'); };
  overwrite(value.text);
  for (size_t i = 0; i < value.n_items; ++i) {
    if (value.keys) overwrite(value.keys[i]);
    scribble(value.items[i]);
  }
}

void spill(const std::string& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }

}  // namespace attune::validate
