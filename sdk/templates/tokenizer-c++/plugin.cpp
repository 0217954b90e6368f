// SPDX-License-Identifier: Apache-2.0
// Ids 0 to 255 are bytes, 256 begins a text, 257 ends one.
#include "attune/sample.h"
#include "attune/text.h"
#include "attune/tokenizer.h"

namespace {

using namespace attune;
using Ids = std::span<const int64_t>;

class @Name@ {
 public:
  explicit @Name@(Value) {}

  int64_t vocabulary() const { return 258; }
  int64_t token(std::string_view name) const {
    if (name == "bos" || name == "<s>") return 256;
    if (name == "eos" || name == "</s>") return 257;
    return name.size() == 1 ? static_cast<unsigned char>(name[0]) : -1;
  }

  Encoding encode(std::string_view text, bool add_special) const {
    Encoding made;
    if (add_special) made.ids.push_back(256), made.offsets.push_back({0, 0});
    for (size_t i = 0; i < text.size(); ++i) {
      made.ids.push_back(static_cast<unsigned char>(text[i]));
      made.offsets.push_back({i, i + 1});
    }
    return made;
  }

  std::string decode(Ids ids, bool skip_special) const { return utf8(bytes(ids, skip_special)); }
  std::string decode_next(Ids ids, bool skip_special) const {
    if (ids.empty()) return "";
    const std::string before = utf8(bytes(ids.first(ids.size() - 1), skip_special), true);
    return utf8(bytes(ids, skip_special), true).substr(before.size());
  }

  Rendering render(std::span<const attune_turn> turns, bool generation_prompt) const {
    Rendering made;
    for (size_t t = 0; t < turns.size(); ++t) {
      made.text += string(turns[t].role) + ": ";
      const size_t begin = made.text.size();
      made.text += text_of(turns[t], "@name@");
      made.spans.push_back({begin, made.text.size(), t});
      made.text += '\n';
    }
    if (generation_prompt) made.text += "assistant: ";
    return made;
  }

 private:
  static std::string bytes(Ids ids, bool skip_special) {
    std::string made;
    for (const int64_t id : ids) {
      if (id < 0 || id >= 258) throw Error("expected token ids below 258, found " + std::to_string(id));
      if (id < 256) made += static_cast<char>(id);
      if (id >= 256 && !skip_special) made += id == 256 ? "<s>" : "</s>";
    }
    return made;
  }
};

ATTUNE_TOKENIZER(@name@, "@name@", @Name@);

}  // namespace

ATTUNE_PLUGIN(&@name@)
