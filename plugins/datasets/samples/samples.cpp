// SPDX-License-Identifier: Apache-2.0
// The rows of `attune data convert`: a sample as it is. Turns of the prompt stand once; weight,
// rating, feedback, labels and id may be left out.
//   {"id": "7", "prompt": [{"role": "user", "content": "Why?"}],
//    "answers": [{"turns": [{"role": "assistant", "content": "So.", "weight": 0.5}], "rating": 4},
//                {"turns": [{"role": "assistant", "content": [{"type": "image", "url":
//                "no.png"}]}], "feedback": "Too short."}],
//    "labels": {"margin": 1.5}}
// Without answers the sample is a prompt.
#include <cmath>

#include "attune/rows.h"

namespace {

using namespace attune;

/// Turns that borrow from the record.
class Turns {
 public:
  explicit Turns(const Value& list) {
    for (size_t t = 0; list && t < listed(list).size(); ++t) {
      const Value turn = list[t], content = turn["content"];
      auto& parts = parts_.emplace_back();
      if (content.is_string()) parts.push_back(text(content));
      for (size_t p = 0; !content.is_string() && p < listed(content, 1).size(); ++p)
        parts.push_back(part(content[p]));
      const double weight = turn["weight"].number(1.0);
      if (!(weight >= 0 && std::isfinite(weight)))
        throw Error("`" + turn["weight"].path() + "`: expected a finite weight of 0 or more");
      turns_.push_back({str(role(turn["role"])), parts.data(), parts.size(), weight});
    }
  }

  std::vector<attune_turn> with(const Turns& after) const {
    std::vector<attune_turn> all = turns_;
    all.insert(all.end(), after.turns_.begin(), after.turns_.end());
    return all;
  }
  size_t size() const { return turns_.size(); }

 private:
  static std::string_view role(const Value& field) {
    const std::string_view found = field.text();
    for (const char* known : {"system", "user", "assistant", "tool"}) {
      if (found == known) return found;
    }
    throw Error("`" + field.path() + "`: expected system, user, assistant or tool, found " +
                std::string(found));
  }
  static attune_part text(const Value& field) {
    return {ATTUNE_TEXT, 0, {}, {}, {field.text().data(), field.text().size()}};
  }
  static attune_part part(const Value& field) {
    const std::string_view type = field["type"].text();
    if (type == "text") return text(field["text"]);
    const int32_t kind = type == "image"   ? ATTUNE_IMAGE
                         : type == "audio" ? ATTUNE_AUDIO
                         : type == "video" ? ATTUNE_VIDEO
                                           : 0;
    if (kind == 0)
      throw Error("`" + field["type"].path() + "`: expected text, image, audio or video, found " +
                  std::string(type));
    return {kind, 0, {}, str(field["url"].text()), {}};
  }

  std::deque<std::vector<attune_part>> parts_;
  std::vector<attune_turn> turns_;
};

class Samples {
 public:
  explicit Samples(Value) {}

  void map(Value row, const SampleSink& emit) const {
    SampleBuilder made;
    const Turns prompt(row["prompt"]);
    made.id(row["id"].text("")).prompt_turns(prompt.size());
    const Value answers = row["answers"];
    for (size_t i = 0; answers && i < listed(answers, 1).size(); ++i) {
      const Value answer = answers[i];
      const Turns turns(listed(answer["turns"], 1));
      const std::vector<attune_turn> all = prompt.with(turns);
      if (i > 0 &&
          answer["rating"].number(std::nan("")) > answers[i - 1]["rating"].number(std::nan(""))) {
        throw Error(
            "`" + answer["rating"].path() +
            "`: expected answers best first, found a rating above that of the answer before");
      }
      made.add_view({all.data(), all.size(), answer["rating"].number(std::nan("")),
                     str(answer["feedback"].text(""))});
    }
    if (!answers) {
      if (prompt.size() == 0) throw Error("expected `prompt` or `answers`, found neither");
      if (row["prompt"][prompt.size() - 1]["role"].text() == "assistant")
        throw Error("`prompt`: expected a last turn to answer, found the assistant's");
      const std::vector<attune_turn> all = prompt.with(Turns(Value()));
      made.add_view({all.data(), all.size(), std::nan(""), {}});
    }
    if (const Value labels = row["labels"]) {
      if (!labels.is_map())
        throw Error("`labels`: expected a table of labels, found " +
                    std::string(labels.type_name()));
      made.labels(*labels.raw());
    }
    emit(made);
  }
};

ATTUNE_DATASET(samples, "samples", Samples);

}  // namespace

ATTUNE_PLUGIN(&samples)
