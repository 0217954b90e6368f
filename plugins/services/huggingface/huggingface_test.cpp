// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "support/plugin_under_test.h"

using namespace attune;
using namespace attune::testing;
namespace fs = std::filesystem;

namespace {

using Ids = std::vector<int64_t>;
using Offsets = std::vector<std::pair<size_t, size_t>>;

std::string utf8(uint32_t point) {
  if (point < 0x80) return {char(point)};
  return {char(0xC0 | point >> 6), char(0x80 | (point & 0x3F))};
}

/// The letters that stand for bytes 0 .. 255 in a byte-level vocabulary.
std::vector<std::string> byte_letters() {
  std::vector<std::string> letters;
  uint32_t next = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
    letters.push_back(utf8(printable ? byte : next++));
  }
  return letters;
}

Json added(int id, const std::string& content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

/// Byte-level BPE: id of a byte is its value; 256 "he", 257 "<s>", 258 "</s>", 259 "<|im_end|>".
Json byte_level() {
  Json vocabulary = Json::object();
  const auto letters = byte_letters();
  for (int byte = 0; byte < 256; ++byte) vocabulary[letters[byte]] = byte;
  vocabulary["he"] = 256;
  const Json step = {{"type", "ByteLevel"},
                     {"add_prefix_space", false},
                     {"trim_offsets", true},
                     {"use_regex", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", {added(257, "<s>"), added(258, "</s>"), added(259, "<|im_end|>")}},
          {"normalizer", nullptr},
          {"pre_tokenizer", step},
          {"post_processor", nullptr},
          {"decoder", step},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", {"h e"}}}}};
}

/// Words and byte fallback, as sentencepiece models have them: bytes 0 .. 255, then 256 "▁", "▁hi",
/// "a".
Json byte_fallback() {
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    snprintf(name, sizeof name, "<0x%02X>", byte);
    vocabulary[name] = byte;
  }
  vocabulary["▁"] = 256, vocabulary["▁hi"] = 257, vocabulary["a"] = 258;
  Json json = byte_level();
  json["added_tokens"] = Json::array();
  json["pre_tokenizer"] = nullptr;
  json["model"] = {
      {"type", "BPE"}, {"vocab", vocabulary}, {"merges", Json::array()}, {"byte_fallback", true}};
  json["decoder"] = {{"type", "Sequence"},
                     {"decoders",
                      {{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
                       {{"type", "ByteFallback"}},
                       {{"type", "Fuse"}},
                       {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}};
  return json;
}

const Json kConfig = {{"bos_token", "<s>"},
                      {"eos_token", {{"content", "</s>"}, {"lstrip", false}}}};

const std::string kChatml =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% endif %}";
const std::string kHeaders =
    "{{ bos_token }}{% for m in messages %}{{ '[' + m.role + ']\n\n' + m.content | trim + '<eot>' "
    "}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '[assistant]\n\n' }}{% endif %}";
const std::string kInst =
    "{{ bos_token }}{% for message in messages %}\n"
    "  {% if (message.role == 'user') != (loop.index0 % 2 == 0) %}\n"
    "    {{ raise_exception('roles must alternate') }}\n"
    "  {% endif %}\n"
    "  {%- if message.role == 'user' %}{{ '[INST] ' + message.content.strip() + ' [/INST]' }}"
    "{% else %}{{ message.content + eos_token }}{% endif %}\n"
    "{% endfor %}";

/// A model folder of a test, and the plugin on it.
class ModelFolder {
 public:
  explicit ModelFolder(const Json& tokenizer = byte_level(), const Json& config = kConfig,
                       const std::string& chat_template = "") {
    std::string name = (fs::temp_directory_path() / "huggingface_XXXXXX").string();
    path_ = mkdtemp(name.data());
    if (!tokenizer.is_null()) put("tokenizer.json", tokenizer.dump());
    if (!config.is_null()) put("tokenizer_config.json", config.dump());
    if (!chat_template.empty()) put("chat_template.jinja", chat_template);
  }
  ~ModelFolder() { fs::remove_all(path_); }
  void put(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

struct Message {
  std::string role;
  std::vector<std::string> texts;  // "<image>" stands for an image.
  Message(std::string role, std::string text) : role(std::move(role)), texts{std::move(text)} {}
  Message(std::string role, std::vector<std::string> texts)
      : role(std::move(role)), texts(std::move(texts)) {}
};

struct Rendered {
  std::string text;
  std::vector<attune_span> spans;
  /// Each span as "turn:content".
  std::vector<std::string> contents() const {
    std::vector<std::string> found;
    for (const attune_span& span : spans) {
      found.push_back(std::to_string(span.turn) + ":" +
                      text.substr(span.begin, span.end - span.begin));
    }
    return found;
  }
};

class Plugin {
 public:
  explicit Plugin(const ModelFolder& folder) : Plugin(Json{{"path", folder.path()}}) {}
  explicit Plugin(const Json& options)
      : plugin_("huggingface", "tokenizer/1", "huggingface", options) {}

  int64_t token(const std::string& name) const {
    int64_t id = -2;
    plugin_.check(plugin_->token(plugin_.self(), str(name), &id));
    return id;
  }
  int64_t vocabulary() const {
    int64_t size = -1;
    plugin_.check(plugin_->vocabulary(plugin_.self(), &size));
    return size;
  }
  std::pair<Ids, Offsets> encode(const std::string& text, uint32_t flags = 0) const {
    std::pair<Ids, Offsets> found;
    const auto emit = [](void* context, const attune_encoding* encoding) -> int32_t {
      auto& [ids, offsets] = *static_cast<std::pair<Ids, Offsets>*>(context);
      ids.assign(encoding->ids, encoding->ids + encoding->n_ids);
      for (size_t i = 0; i < encoding->n_ids; ++i) {
        offsets.emplace_back(encoding->offsets[i].begin, encoding->offsets[i].end);
      }
      return 0;
    };
    const attune_encoding_sink sink{ATTUNE_END(attune_encoding_sink, emit), 0, &found, emit};
    plugin_.check(plugin_->encode(plugin_.self(), str(text), flags, &sink));
    return found;
  }
  std::string decode(const Ids& ids, uint32_t flags = 0) const {
    return text_of([&](auto sink) {
      return plugin_->decode(plugin_.self(), ids.data(), ids.size(), flags, sink);
    });
  }
  std::vector<std::string> stream(const Ids& ids, uint32_t flags = 0) const {
    std::vector<std::string> texts;
    for (size_t n = 1; n <= ids.size(); ++n) {
      texts.push_back(text_of([&](auto sink) {
        return plugin_->decode_next(plugin_.self(), ids.data(), n, flags, sink);
      }));
    }
    return texts;
  }
  Rendered render(const std::vector<Message>& messages, uint32_t flags = 0) const {
    std::vector<std::vector<attune_part>> parts(messages.size());
    std::vector<attune_turn> turns;
    for (size_t i = 0; i < messages.size(); ++i) {
      for (const std::string& text : messages[i].texts) {
        const bool image = text == "<image>";
        parts[i].push_back(
            {image ? ATTUNE_IMAGE : ATTUNE_TEXT, 0, {}, {}, {text.data(), text.size()}});
      }
      turns.push_back({str(messages[i].role), parts[i].data(), parts[i].size(), 1});
    }
    Rendered found;
    const auto emit = [](void* context, const attune_rendering* rendering) -> int32_t {
      auto& found = *static_cast<Rendered*>(context);
      found.text = string(rendering->text);
      found.spans.assign(rendering->spans, rendering->spans + rendering->n_spans);
      return 0;
    };
    const attune_rendering_sink sink{ATTUNE_END(attune_rendering_sink, emit), 0, &found, emit};
    plugin_.check(plugin_->render(plugin_.self(), turns.data(), turns.size(), flags, &sink));
    return found;
  }

 private:
  template <typename Call>
  std::string text_of(Call call) const {
    std::string text;
    const auto emit = [](void* context, attune_str part) -> int32_t {
      *static_cast<std::string*>(context) = string(part);
      return 0;
    };
    const attune_text_sink sink{ATTUNE_END(attune_text_sink, emit), 0, &text, emit};
    plugin_.check(call(&sink));
    return text;
  }

  PluginUnderTest<attune_tokenizer> plugin_;
};

/// "code: message" of what `call` fails with.
template <typename Call>
std::string failure(Call call) {
  try {
    call();
  } catch (const PluginFailure& failure) {
    return std::to_string(failure.code) + ": " + failure.what();
  }
  return "no failure";
}

#define EXPECT_FAILS(call, code, part)                                                     \
  {                                                                                        \
    const std::string found = failure([&] { call; });                                      \
    EXPECT_EQ(found.substr(0, 3), std::to_string(code) + ": ") << found;                   \
    EXPECT_NE(found.find(part), std::string::npos) << found << "\n  should say: " << part; \
  }

std::string joined(const std::vector<std::string>& texts) {
  return std::accumulate(texts.begin(), texts.end(), std::string());
}

TEST(Huggingface, GivesOffsetsInBytesOfMultibyteText) {
  const ModelFolder folder;
  const auto [ids, offsets] = Plugin(folder).encode("hé😀he");

  EXPECT_EQ(ids, (Ids{'h', 0xC3, 0xA9, 0xF0, 0x9F, 0x98, 0x80, 256}));
  EXPECT_EQ(offsets, (Offsets{{0, 1}, {1, 3}, {1, 3}, {3, 7}, {3, 7}, {3, 7}, {3, 7}, {7, 9}}));
}

TEST(Huggingface, RecognisesSpecialTokensInTheText) {
  const ModelFolder folder;
  const auto [ids, offsets] = Plugin(folder).encode("a<|im_end|></s>");

  EXPECT_EQ(ids, (Ids{'a', 259, 258}));
  EXPECT_EQ(offsets, (Offsets{{0, 1}, {1, 11}, {11, 15}}));
}

TEST(Huggingface, AddsBosAndEosWhereTheConfigurationSaysSoAndTheCallerAsks) {
  Json config = kConfig;
  config["add_bos_token"] = config["add_eos_token"] = true;
  const ModelFolder folder(byte_level(), config);
  const Plugin plugin(folder);

  EXPECT_EQ(plugin.encode("a").first, (Ids{'a'}));
  const auto [ids, offsets] = plugin.encode("a", ATTUNE_ENCODE_ADD_SPECIAL);
  EXPECT_EQ(ids, (Ids{257, 'a', 258}));
  EXPECT_EQ(offsets, (Offsets{{0, 0}, {0, 1}, {0, 0}}));
}

TEST(Huggingface, SwitchesOffTruncationAndPaddingOfTheFile) {
  Json tokenizer = byte_level();
  tokenizer["truncation"] = {
      {"direction", "Right"}, {"max_length", 2}, {"strategy", "LongestFirst"}, {"stride", 0}};
  tokenizer["padding"] = {{"strategy", {{"Fixed", 8}}},
                          {"direction", "Right"},
                          {"pad_to_multiple_of", nullptr},
                          {"pad_id", 0},
                          {"pad_type_id", 0},
                          {"pad_token", "<s>"}};
  const ModelFolder folder(tokenizer);

  EXPECT_EQ(Plugin(folder).encode("abc").first, (Ids{'a', 'b', 'c'}));
}

TEST(Huggingface, NamesTokensByRoleAndByText) {
  const ModelFolder folder;
  const Plugin plugin(folder);
  const std::vector<std::pair<std::string, int64_t>> rows = {
      {"bos", 257}, {"eos", 258},        {"pad", -1},     {"unk", -1},
      {"he", 256},  {"<|im_end|>", 259}, {"no such", -1}, {"", -1}};

  for (const auto& [name, id] : rows) EXPECT_EQ(plugin.token(name), id) << name;
  EXPECT_EQ(plugin.vocabulary(), 260);
}

TEST(Huggingface, AddsTokensThatOnlyTheConfigurationNames) {
  Json config = kConfig;
  config["pad_token"] = "<pad>";
  config["added_tokens_decoder"] = {{"260", {{"content", "<think>"}, {"special", false}}}};
  const ModelFolder folder(byte_level(), config);
  const Plugin plugin(folder);

  EXPECT_EQ(plugin.encode("<think><pad>").first, (Ids{260, 261}));
  EXPECT_EQ(plugin.token("pad"), 261);
}

TEST(Huggingface, ReadsSpecialTokensFromTheirOwnFile) {
  const ModelFolder folder(byte_level(), nullptr);
  folder.put("special_tokens_map.json", R"({"eos_token": {"content": "<|im_end|>"}})");

  EXPECT_EQ(Plugin(folder).token("eos"), 259);
}

TEST(Huggingface, DecodesWithAndWithoutSpecialTokens) {
  const ModelFolder folder;
  const Plugin plugin(folder);

  EXPECT_EQ(plugin.decode({257, 256, 0xC3, 0xA9, 258}), "<s>heé</s>");
  EXPECT_EQ(plugin.decode({257, 256, 0xC3, 0xA9, 258}, ATTUNE_DECODE_SKIP_SPECIAL), "heé");
  EXPECT_EQ(plugin.decode({}), "");
}

TEST(Huggingface, StreamsACharacterOnlyWhenItIsWhole) {
  const ModelFolder folder;
  const Plugin plugin(folder);
  const Ids ids = {'a', 0xF0, 0x9F, 0x98, 0x80, 257, 'b', 0xC3};

  EXPECT_EQ(plugin.stream(ids), (std::vector<std::string>{"a", "", "", "", "😀", "<s>", "b", ""}));
  EXPECT_EQ(plugin.stream(ids, ATTUNE_DECODE_SKIP_SPECIAL),
            (std::vector<std::string>{"a", "", "", "", "😀", "", "b", ""}));
}

TEST(Huggingface, StreamsWhatDecodeGivesEvenForBrokenBytes) {
  const ModelFolder folder;
  const Plugin plugin(folder);
  const std::vector<Ids> rows = {{0x80, 0x80, 0x80, 0x80, 0x80, 'a'},
                                 {0xF0, 0x9F, 'a', 0xF0, 0x9F, 0x98, 258, 'b'},
                                 {0xE5, 0xE5, 0x8F, 0xAB, 0xFF, 'x'},
                                 {257, 257, 0xC3, 257, 0xA9, 'x'}};

  for (const Ids& ids : rows) {
    EXPECT_EQ(joined(plugin.stream(ids)), plugin.decode(ids)) << Json(ids);
    EXPECT_EQ(joined(plugin.stream(ids, 1)), plugin.decode(ids, 1)) << Json(ids);
  }
}

TEST(Huggingface, StreamsByteFallbackAndTheCutFirstSpace) {
  const ModelFolder folder(byte_fallback(), nullptr);
  const Plugin plugin(folder);

  EXPECT_EQ(plugin.decode({257, 257}), "hi hi");
  EXPECT_EQ(plugin.stream({257, 257}), (std::vector<std::string>{"hi", " hi"}));
  EXPECT_EQ(plugin.stream({256, 256, 257}), (std::vector<std::string>{"", " ", " hi"}));
  EXPECT_EQ(plugin.stream({0xF0, 0x9F, 0x98, 0x80, 0xC3, 0xA9, 258}),
            (std::vector<std::string>{"", "", "", "😀", "", "é", "a"}));
  EXPECT_EQ(joined(plugin.stream({258, 0xE5, 0x8F, 258})), plugin.decode({258, 0xE5, 0x8F, 258}));
}

TEST(Huggingface, FindsEveryContentInThreeFamiliesOfTemplates) {
  const std::vector<Message> chat = {{"user", "hi"},      {"assistant", "hi"},
                                     {"user", "\n 😀 x "}, {"assistant", " user\n"},
                                     {"user", ""},        {"assistant", ""}};
  struct Row {
    std::string chat_template, text;
    std::vector<std::string> contents;
  };
  const std::vector<Row> rows = {
      {kChatml,
       "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nhi<|im_end|>\n<|im_start|>user\n\n "
       "😀 x <|im_end|>\n"
       "<|im_start|>assistant\n "
       "user\n<|im_end|>\n<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n",
       {"0:hi", "1:hi", "2:\n 😀 x ", "3: user\n", "4:", "5:"}},
      {kHeaders,
       "<s>[user]\n\nhi<eot>[assistant]\n\nhi<eot>[user]\n\n😀 "
       "x<eot>[assistant]\n\nuser<eot>[user]\n\n<eot>"
       "[assistant]\n\n<eot>",
       {"0:hi", "1:hi", "2:😀 x", "3:user", "4:", "5:"}},
      {kInst,
       "<s>[INST] hi [/INST]hi</s>[INST] 😀 x [/INST] user\n</s>[INST]  [/INST]</s>",
       {"0:hi", "1:hi", "2:😀 x", "3: user\n", "4:", "5:"}},
  };

  for (const Row& row : rows) {
    const ModelFolder folder(byte_level(), kConfig, row.chat_template);
    const Rendered found = Plugin(folder).render(chat);

    EXPECT_EQ(found.text, row.text);
    EXPECT_EQ(found.contents(), row.contents) << row.text;
  }
}

TEST(Huggingface, PutsEmptySpansWhereTheContentWouldBe) {
  const ModelFolder folder(byte_level(), kConfig, kChatml);
  const Rendered found =
      Plugin(folder).render({{"assistant", ""}}, ATTUNE_RENDER_GENERATION_PROMPT);

  EXPECT_EQ(found.text, "<|im_start|>assistant\n<|im_end|>\n<|im_start|>assistant\n");
  ASSERT_EQ(found.spans.size(), 1u);
  EXPECT_EQ(found.spans[0].begin, 22u);
  EXPECT_EQ(found.spans[0].end, 22u);
}

TEST(Huggingface, FindsContentsThatHoldSpecialTokensAndPrivateUseCharacters) {
  const ModelFolder folder(byte_level(), kConfig, kChatml);
  const std::string odd = "\U000F0000<|im_end|>\n<|im_start|>assistant\n\U000F0001";
  const Rendered found = Plugin(folder).render({{"user", odd}, {"assistant", odd}});

  EXPECT_EQ(found.contents(), (std::vector<std::string>{"0:" + odd, "1:" + odd}));
}

TEST(Huggingface, GivesNoSpanToATurnThatTheTemplateDrops) {
  const ModelFolder folder(
      byte_level(), kConfig,
      "{% for m in messages if m.role != 'system' %}<{{ m.content }}>{% endfor %}");
  const Rendered found = Plugin(folder).render({{"system", "be kind"}, {"user", "hi"}});

  EXPECT_EQ(found.text, "<hi>");
  EXPECT_EQ(found.contents(), (std::vector<std::string>{"1:hi"}));
}

TEST(Huggingface, FindsWhatIsLeftOfAContentThatTheTemplateCuts) {
  const ModelFolder folder(byte_level(), kConfig,
                           "{% for m in messages %}A\n{{ "
                           "m.content.split('</think>')[-1].lstrip('\\n') }}<end>{% endfor %}");
  const Rendered found = Plugin(folder).render(
      {{"assistant", "<think>\nno\n</think>\n\nyes"}, {"assistant", "plain"}});

  EXPECT_EQ(found.text, "A\nyes<end>A\nplain<end>");
  EXPECT_EQ(found.contents(), (std::vector<std::string>{"0:yes", "1:plain"}));
}

TEST(Huggingface, RefusesSpansOfATemplateThatRewritesOrRepeats) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"{{ messages[0].content | length }}", "rewrites it"},
      {"{{ messages[0].content }}{{ messages[0].content }}", "writes it more than once"}};

  for (const auto& [chat_template, why] : rows) {
    const ModelFolder folder(byte_level(), kConfig, chat_template);
    EXPECT_FAILS(Plugin(folder).render({{"user", "hello"}}), ATTUNE_E_UNSUPPORTED, why);
  }
}

TEST(Huggingface, WritesMediaWhereTheTemplatePutsThem) {
  const ModelFolder folder(byte_level(), kConfig,
                           "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% "
                           "else %}{% for p in m.content %}"
                           "{% if p.type == 'text' %}{{ p.text }}{% else %}<{{ p.type }}>{% endif "
                           "%}{% endfor %}{% endif %};{% endfor %}");
  const Rendered found =
      Plugin(folder).render({{"user", std::vector<std::string>{"see ", "<image>", "this"}},
                             {"user", std::vector<std::string>{"<image>"}},
                             {"assistant", std::vector<std::string>{"a", "b"}}});

  EXPECT_EQ(found.text, "see <image>this;<image>;ab;");
  EXPECT_EQ(found.contents(), (std::vector<std::string>{"0:see <image>this", "2:ab"}));
}

TEST(Huggingface, TakesTheTemplateFromEachPlaceWhereModelsKeepIt) {
  const Json named = {{{"name", "tool_use"}, {"template", "t"}},
                      {{"name", "default"}, {"template", "d"}}};
  const std::vector<std::pair<Json, std::string>> rows = {{"{{ messages[0].content }}", "hi"},
                                                          {named, "d"}};

  for (const auto& [chat_template, text] : rows) {
    const ModelFolder folder(byte_level(), {{"chat_template", chat_template}});
    EXPECT_EQ(Plugin(folder).render({{"user", "hi"}}).text, text);
    folder.put("chat_template.jinja", "own file");
    EXPECT_EQ(Plugin(folder).render({{"user", "hi"}}).text, "own file");
  }
}

TEST(Huggingface, TeachesWhatIsWrongWithAFolder) {
  const ModelFolder empty(nullptr, nullptr);
  EXPECT_FAILS(Plugin{empty}, ATTUNE_E_NOT_FOUND, empty.path() + "/tokenizer.json: no such file");

  const ModelFolder broken(nullptr, nullptr);
  broken.put("tokenizer.json", "{\"version\": ");
  EXPECT_FAILS(Plugin{broken}, ATTUNE_E_INVALID, "tokenizer.json: expected a tokenizer");

  const ModelFolder config(byte_level(), nullptr);
  config.put("tokenizer_config.json", "[1]");
  EXPECT_FAILS(Plugin{config}, ATTUNE_E_INVALID, "tokenizer_config.json: expected a JSON object");

  EXPECT_FAILS(Plugin(Json::object()), ATTUNE_E_INVALID, "option `path`");
}

TEST(Huggingface, TeachesWhatIsWrongWithATemplate) {
  struct Row {
    std::string chat_template;
    int32_t code;
    std::string why;
  };
  const std::vector<Row> rows = {
      {"", ATTUNE_E_UNSUPPORTED, "has no chat template"},
      {"{% for m in %}", ATTUNE_E_INVALID,
       "chat_template.jinja: the chat template does not compile: syntax error"},
      {"\n{{ messages[0].content.no_such_method() }}", ATTUNE_E_UNSUPPORTED, "no_such_method"},
      {kInst, ATTUNE_E_INVALID, "refuses this conversation: roles must alternate"}};

  for (const Row& row : rows) {
    const ModelFolder folder(byte_level(), kConfig, row.chat_template);
    const Plugin plugin(folder);
    EXPECT_FAILS(plugin.render({{"user", "a"}, {"user", "b"}}), row.code, row.why);
    EXPECT_EQ(plugin.encode("a").first, (Ids{'a'})) << "texts need no template";
  }
}

TEST(Huggingface, RefusesBytesThatAreNotUtf8AndIdsThatAreNone) {
  const ModelFolder folder(byte_level(), kConfig, kChatml);
  const Plugin plugin(folder);

  EXPECT_FAILS(plugin.encode("ab\xFF"), ATTUNE_E_INVALID,
               "expected UTF-8, found byte 255 at offset 2");
  EXPECT_FAILS(plugin.render({{"user", "\xC3"}}), ATTUNE_E_INVALID,
               "the text of turn 0: expected UTF-8");
  EXPECT_FAILS(plugin.decode({1, -1}), ATTUNE_E_INVALID, "id -1 at index 1");
  EXPECT_FAILS(plugin.stream({int64_t(1) << 40}), ATTUNE_E_INVALID, "id 1099511627776 at index 0");
}

TEST(Huggingface, TurnsAPanicOfTheLibraryIntoAnError) {
  Json tokenizer = byte_level();
  tokenizer["model"]["vocab"][""] = 300;
  tokenizer["decoder"] = {
      {"type", "Strip"}, {"content", " "}, {"start", 0}, {"stop", 1}};  // Panics on an empty token.
  const ModelFolder folder(tokenizer);
  const Plugin plugin(folder);

  EXPECT_FAILS(plugin.decode({300}), ATTUNE_E_INTERNAL, "the tokenizer library panicked: ");
  EXPECT_EQ(plugin.decode({'a'}), "a");
}

}  // namespace
