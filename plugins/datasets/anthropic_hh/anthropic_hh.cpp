// SPDX-License-Identifier: Apache-2.0
// Helpful and harmless preferences (Bai et al., 2022): two transcripts that differ in the last turn
// of the assistant.
//   {"chosen": "\n\nHuman: Is tea a plant?\n\nAssistant: Yes.", "rejected": "\n\nHuman: Is tea a
//   plant?\n\nAssistant: No."}
// A marker splits wherever it stands, as in the published data: nothing tells a quoted "\n\nHuman:"
// from a real one.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "attune/dataset.h"

namespace {

using namespace attune;

constexpr std::string_view kHuman = "\n\nHuman:", kAssistant = "\n\nAssistant:";

std::string_view stripped(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  return begin == text.npos ? std::string_view()
                            : text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::vector<Message> split(const Value& field) {
  std::string_view rest = field.text();
  if (!rest.starts_with(kHuman)) {
    throw Error("`" + field.path() + "`: expected a transcript that begins with \"\\n\\nHuman:\"");
  }
  std::vector<Message> turns;
  while (!rest.empty()) {
    const bool human = rest.starts_with(kHuman);
    rest.remove_prefix(human ? kHuman.size() : kAssistant.size());
    const size_t end = std::min({rest.find(kHuman), rest.find(kAssistant), rest.size()});
    turns.push_back({human ? "user" : "assistant", std::string(stripped(rest.substr(0, end)))});
    rest.remove_prefix(end);
  }
  return turns;
}

std::vector<Message> transcript(const Value& field) {
  auto turns = split(field);
  if (turns.back().role != "assistant") {
    throw Error("`" + field.path() +
                "`: expected a transcript that ends with the assistant's turn");
  }
  if (turns.back().text.empty()) {
    throw Error("`" + field.path() + "`: the assistant's last turn is empty");
  }
  return turns;
}

bool same(const Message& a, const Message& b) { return a.role == b.role && a.text == b.text; }

class AnthropicHh {
 public:
  explicit AnthropicHh(Value) {}

  void map(Value record, const SampleSink& emit) const {
    const auto chosen = transcript(record["chosen"]), rejected = transcript(record["rejected"]);
    const size_t shared = std::ranges::mismatch(chosen, rejected, same).in1 - chosen.begin();
    if (shared == chosen.size() && shared == rejected.size()) {
      throw Error("`chosen` and `rejected` are the same transcript: nothing to prefer");
    }
    if (shared + 1 != chosen.size() || shared + 1 != rejected.size()) {
      throw Error("`chosen` and `rejected` do not share a prompt: they differ from turn " +
                  std::to_string(shared + 1) + " on, and have " + std::to_string(chosen.size()) +
                  " and " + std::to_string(rejected.size()) + " turns");
    }
    emit(
        SampleBuilder().prompt_turns(shared).add({.messages = chosen}).add({.messages = rejected}));
  }
};

ATTUNE_DATASET(anthropic_hh, "anthropic_hh", AnthropicHh);

}  // namespace

ATTUNE_PLUGIN(&anthropic_hh)
