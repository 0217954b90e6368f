// SPDX-License-Identifier: Apache-2.0
#include "attune/text.h"
#include "kernel/host/validate/forms.h"
#include "kernel/host/validate/kinds.h"

namespace attune::validate {
namespace {

const attune_tokenizer* table_of(const void* table) { return static_cast<const attune_tokenizer*>(table); }

constexpr const char* kTexts[] = {"",
                                  "a",
                                  "Hello, world!",
                                  "na\u00efve caf\u00e9 \u2615",
                                  "\U0001F469\u200D\U0001F680 and \u6f22\u5b57",
                                  "  two  spaces\t\ttabs\n\nlines\r\n",
                                  "1234567890",
                                  "x = {\"k\": [1, 2]};"};

struct Encoded {
  std::vector<int64_t> ids;
  std::vector<attune_token_offset> offsets;
};

/// Calls of one instance that record everything.
class Caller {
 public:
  Caller(Witness& witness, void* table, SinkRule& rule) : witness_(witness), t_(table_of(table)), rule_(rule) {}

  Answer encode(std::string_view text, bool special, Encoded& made) const {
    const auto sink = watched<attune_encoding_sink, const attune_encoding*>(rule_, [&](const attune_encoding* encoding) {
      if (encoding->n_ids > 0 && (!encoding->ids || !encoding->offsets)) throw Failed("encode: expected ids and offsets, found NULL");
      made.ids.assign(encoding->ids, encoding->ids + encoding->n_ids);
      made.offsets.assign(encoding->offsets, encoding->offsets + encoding->n_ids);
    });
    const Answer answer = called(witness_, "encode", rule_,
                                 [&] { return t_->encode(t_->self, str(text), special ? ATTUNE_ENCODE_ADD_SPECIAL : 0, sink.get()); });
    sink.check();
    return answer;
  }

  Answer decode(const std::vector<int64_t>& ids, size_t n, bool next, uint32_t flags, std::string& made) const {
    const auto sink = watched<attune_text_sink, attune_str>(rule_, [&](attune_str text) {
      made = string(text);
      if (utf8(made) != made) throw Failed(std::string(next ? "decode_next" : "decode") + ": expected UTF-8, found other bytes");
    });
    const Answer answer = called(witness_, next ? "decode_next" : "decode", rule_,
                                 [&] { return (next ? t_->decode_next : t_->decode)(t_->self, ids.data(), n, flags, sink.get()); });
    sink.check();
    return answer;
  }

  Answer render(const Turns& turns, bool prompt, std::string& text, std::vector<attune_span>& spans) const {
    const auto sink = watched<attune_rendering_sink, const attune_rendering*>(rule_, [&](const attune_rendering* made) {
      text = string(made->text);
      if (made->n_spans > 0 && !made->spans) throw Failed("render: expected spans, found NULL");
      spans.assign(made->spans, made->spans + made->n_spans);
    });
    const Answer answer = called(witness_, "render", rule_, [&] {
      return t_->render(t_->self, turns.data(), turns.size(), prompt ? ATTUNE_RENDER_GENERATION_PROMPT : 0, sink.get());
    });
    sink.check();
    return answer;
  }

  int64_t vocabulary() const {
    int64_t size = -1;
    const Answer answer = witness_.call("vocabulary", [&] { return t_->vocabulary(t_->self, &size); });
    if (!answer.ok()) throw Failed("vocabulary failed: " + answer.why);
    return size;
  }
  int64_t token(std::string_view name) const {
    int64_t id = -2;
    const Answer answer = witness_.call("token", [&] { return t_->token(t_->self, str(name), &id); });
    if (!answer.ok()) throw Failed("token failed: " + answer.why);
    return id;
  }

 private:
  Witness& witness_;
  const attune_tokenizer* t_;
  SinkRule& rule_;
};

/// Takes an instance through `body`.
void with_caller(const Subject& subject, const std::function<void(const Caller&)>& body) {
  Stage stage(subject);
  const Instance instance(subject, stage, some_good(subject).front().options);
  SinkRule rule;
  body(Caller(stage.witness, instance.table(), rule));
}

void encoded(const Caller& call, std::string_view text, bool special, Encoded& made) {
  const Answer answer = call.encode(text, special, made);
  if (!answer.ok()) throw Failed("encode(" + brief(std::string(text)) + ") failed: " + answer.why);
}

void offsets(const Subject& subject) {
  with_caller(subject, [](const Caller& call) {
    for (const std::string_view text : kTexts) {
      for (const bool special : {false, true}) {
        Encoded made;
        encoded(call, text, special, made);
        size_t before = 0;
        for (size_t i = 0; i < made.ids.size(); ++i) {
          const auto [begin, end] = made.offsets[i];
          const std::string where = "encode(" + brief(std::string(text)) + "): token " + std::to_string(i) + " [" + std::to_string(begin) +
                                    ", " + std::to_string(end) + ")";
          if (begin > end || end > text.size())
            throw Failed(where + " does not lie in the text of " + std::to_string(text.size()) + " bytes");
          if (begin < end && begin < before) throw Failed(where + " begins before the token before it");
          if (begin < end) before = begin;
        }
      }
    }
  });
}

void round_trip(const Subject& subject) {
  with_caller(subject, [](const Caller& call) {
    for (const std::string_view text : kTexts) {
      Encoded first, again;
      std::string back, twice;
      encoded(call, text, false, first);
      const Answer answer = call.decode(first.ids, first.ids.size(), false, 0, back);
      if (!answer.ok()) throw Failed("decode of what encode made of " + brief(std::string(text)) + " failed: " + answer.why);
      encoded(call, back, false, again);
      call.decode(again.ids, again.ids.size(), false, 0, twice);
      // A normalising tokenizer may change a text once.
      if (twice != back)
        throw Failed("encode and decode make " + brief(back) + " of " + brief(std::string(text)) + ", and of that " + brief(twice));
      if (!text.empty() && back.empty()) throw Failed("decode gives nothing of " + brief(std::string(text)));
    }
  });
}

void streaming(const Subject& subject) {
  with_caller(subject, [](const Caller& call) {
    for (const std::string_view text : kTexts) {
      Encoded made;
      encoded(call, text, false, made);
      std::string pieces, whole;
      for (size_t n = 1; n <= made.ids.size(); ++n) {
        std::string piece;
        call.decode(made.ids, n, true, 0, piece);
        pieces += piece;
      }
      call.decode(made.ids, made.ids.size(), false, 0, whole);
      if (pieces != whole) throw Failed("decode_next, token by token, gives " + brief(pieces) + "; decode gives " + brief(whole));
    }
  });
}

void spans(const Subject& subject) {
  with_caller(subject, [](const Caller& call) {
    const Json conversation = Json::parse(R"([["user", "Hi there"], ["assistant", "Yes?"], ["user", "2+2?"], ["assistant", "4"]])");
    const Turns turns(conversation);
    for (const bool prompt : {false, true}) {
      std::string text;
      std::vector<attune_span> found;
      const Answer answer = call.render(turns, prompt, text, found);
      if (answer.code == ATTUNE_E_UNSUPPORTED) throw Skipped("it has no chat template: " + answer.why);
      if (!answer.ok()) throw Failed("render failed: " + answer.why);
      size_t before = 0;
      for (const attune_span& span : found) {
        const std::string where =
            "render: span [" + std::to_string(span.begin) + ", " + std::to_string(span.end) + ") of turn " + std::to_string(span.turn);
        if (span.turn >= turns.size()) throw Failed(where + ": there are " + std::to_string(turns.size()) + " turns");
        if (span.begin < before || span.end < span.begin || span.end > text.size())
          throw Failed(where + " does not lie in the text, behind the span before it");
        const std::string expected = conversation[span.turn][1];
        if (text.substr(span.begin, span.end - span.begin) != expected)
          throw Failed(where + ": expected \"" + expected + "\", found " + brief(text.substr(span.begin, span.end - span.begin)));
        before = span.end;
      }
      if (found.empty()) throw Failed("render: expected a span for each turn, found none");
    }
  });
}

void vocabulary(const Subject& subject) {
  with_caller(subject, [](const Caller& call) {
    const int64_t size = call.vocabulary();
    if (size < 1) throw Failed("vocabulary: expected 1 or more, found " + std::to_string(size));
    for (const char* name : {"bos", "eos", "pad", "unk"}) {
      const int64_t id = call.token(name);
      if (id < -1 || id >= size)
        throw Failed(std::string("token(\"") + name + "\"): expected -1, or an id below " + std::to_string(size) + ", found " +
                     std::to_string(id));
    }
    if (const int64_t id = call.token("\x01no such token\x01"); id != -1)
      throw Failed("token of a name that nothing has: expected -1, found " + std::to_string(id));
    for (const std::string_view text : kTexts) {
      Encoded made;
      encoded(call, text, true, made);
      for (const int64_t id : made.ids) {
        if (id < 0 || id >= size) throw Failed("encode: expected ids below " + std::to_string(size) + ", found " + std::to_string(id));
      }
    }
  });
}

class TokenizerKind final : public Kind {
 public:
  std::string_view id() const override { return "tokenizer/1"; }
  std::string missing(const void* table) const override {
    const auto* t = table_of(table);
    return first_missing({{"destroy", ATTUNE_HAS(t, attune_tokenizer, destroy) != 0},
                          {"vocabulary", ATTUNE_HAS(t, attune_tokenizer, vocabulary) != 0},
                          {"token", ATTUNE_HAS(t, attune_tokenizer, token) != 0},
                          {"encode", ATTUNE_HAS(t, attune_tokenizer, encode) != 0},
                          {"decode", ATTUNE_HAS(t, attune_tokenizer, decode) != 0},
                          {"decode_next", ATTUNE_HAS(t, attune_tokenizer, decode_next) != 0},
                          {"render", ATTUNE_HAS(t, attune_tokenizer, render) != 0}});
  }
  void destroy(void* table) const override { table_of(table)->destroy(table_of(table)->self); }
  std::string hint() const override {
    return "no model folder is known; name one with --cases, [{\"options\": {\"path\": \"...\"}, \"text\": \"Hi\"}]";
  }

  std::vector<Input> good(const Subject& subject) const override {
    Json options;
    for (const char* key : {"text", "turns"}) {
      for (const Input& one : subject.written(key)) {
        if (options.is_null()) options = one.options;
      }
    }
    const bool required =
        std::any_of(subject.factory.options.begin(), subject.factory.options.end(), [](const OptionSchema& one) { return one.required; });
    if (options.is_null() && required) return {};
    if (options.is_null()) options = subject.complete({});
    std::vector<Input> found;
    for (const char* text : kTexts) found.push_back({brief(text), options, {{"text", text}}});
    found.push_back({"a conversation", options, {{"turns", Json::array({"user: Hi", "assistant: Yes?"})}}});
    return found;
  }

  std::vector<Input> bad(const Subject& subject) const override {
    const std::vector<Input> fine = good(subject);
    if (fine.empty()) return {};
    std::vector<Input> found;
    const auto add = [&](const std::string& name, const Json& given) { found.push_back({name, fine.front().options, given}); };
    add("bytes that are no UTF-8", {{"text", "a\xFF\xC3"}});
    add("an id below 0", {{"decode", Json::array({-1})}});
    add("an id beyond the vocabulary", {{"decode", Json::array({int64_t{1} << 40})}});
    add("no ids", {{"decode", Json::array()}});
    add("no turns", {{"turns", Json::array()}});
    add("an unknown role", {{"turns", Json::array({"nobody: Hi"})}});
    add("a turn without text", {{"turns", Json::array({"user: "})}});
    return found;
  }

  std::vector<Input> huge(const Subject& subject) const override {
    std::vector<Input> found;
    for (const Input& one : good(subject)) {
      std::string words;
      while (words.size() < (size_t{1} << 20)) words += "word ";
      found.push_back({"1 MiB of words", one.options, {{"text", words}, {"quick", true}}});
      found.push_back({"a word of 100 kB", one.options, {{"text", std::string(100000, 'x')}, {"quick", true}}});
      break;
    }
    return found;
  }

  Json use(Witness& witness, void* table, const Json& given, SinkRule& rule) const override {
    const Caller call(witness, table, rule);
    Json made = Json::object();
    Answer answer;
    if (given.contains("decode")) {
      std::string text, next;
      const auto ids = given["decode"].get<std::vector<int64_t>>();
      answer = call.decode(ids, ids.size(), false, 0, text);
      if (answer.ok() && !ids.empty()) answer = call.decode(ids, ids.size(), true, 0, next);
      made = {{"text", text}, {"next", next}};
    } else if (given.contains("turns")) {
      std::string text;
      std::vector<attune_span> spans;
      answer = call.render(Turns(given["turns"]), true, text, spans);
      made = {{"text", text}, {"spans", spans.size()}};
    } else {
      const std::string text = given["text"];
      Encoded plain_ids, special;
      answer = call.encode(text, false, plain_ids);
      made["ids"] = plain_ids.ids.size() > 1000 ? Json(plain_ids.ids.size()) : Json(plain_ids.ids);
      if (answer.ok()) answer = call.encode(text, true, special), made["with special"] = special.ids.size();
      std::string back;
      if (answer.ok())
        answer = call.decode(plain_ids.ids, plain_ids.ids.size(), false, ATTUNE_DECODE_SKIP_SPECIAL, back), made["text"] = back.size();
      std::string next;
      if (answer.ok() && !plain_ids.ids.empty())
        answer = call.decode(plain_ids.ids, std::min<size_t>(plain_ids.ids.size(), 20), true, 0, next), made["next"] = next;
    }
    made["end"] = answer.json();
    return made;
  }

  std::vector<Test> tests(Engine*) const override {
    return {{"offsets", "Offsets of tokens lie in the text, in order", offsets},
            {"round-trip", "Decoding gives back what was encoded", round_trip},
            {"streaming", "Token by token the text is that of all tokens", streaming},
            {"spans", "Spans of a rendered conversation hold its turns", spans},
            {"vocabulary", "Ids lie in the vocabulary", vocabulary},
            {"cases", "Texts and conversations become what the author wrote down", [this](const Subject& subject) { cases(subject); }}};
  }

 private:
  void cases(const Subject& subject) const {
    bool any = false;
    Stage stage(subject);
    const auto each = [&](const char* key, const std::function<Json(const Caller&, const Json&, Answer&)>& found, const char* expected) {
      for (const Input& one : subject.written(key)) {
        if (!one.given.contains(expected) && !one.given.contains("refused")) continue;
        any = true;
        const Instance instance(subject, stage, one.options);
        SinkRule rule;
        Answer answer;
        const Json made = found(Caller(stage.witness, instance.table(), rule), one.given[key], answer);
        if (one.given.contains("refused"))
          expect_equal(answer.ok() ? made : Json(answer.why), one.given["refused"], one.name);
        else
          expect_equal(answer.ok() ? made : answer.json(), one.given[expected], one.name);
      }
    };
    each(
        "text",
        [](const Caller& call, const Json& text, Answer& answer) {
          Encoded made;
          answer = call.encode(text.get<std::string>(), false, made);
          return Json(made.ids);
        },
        "ids");
    each(
        "turns",
        [](const Caller& call, const Json& turns, Answer& answer) {
          std::string text;
          std::vector<attune_span> found;
          answer = call.render(Turns(turns), false, text, found);
          return Json(text);
        },
        "rendered");
    each(
        "decode",
        [](const Caller& call, const Json& ids, Answer& answer) {
          std::string text;
          answer = call.decode(ids.get<std::vector<int64_t>>(), ids.size(), false, 0, text);
          return Json(text);
        },
        "decoded");
    if (!any) throw Skipped("none were given; write them down and name the file with --cases");
  }
};

}  // namespace

const Kind& tokenizer_kind() {
  static const TokenizerKind kind;
  return kind;
}

}  // namespace attune::validate
