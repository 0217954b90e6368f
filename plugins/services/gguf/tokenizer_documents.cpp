// SPDX-License-Identifier: Apache-2.0
#include "tokenizer_documents.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "attune/abi.h"

namespace attune {
namespace {

using Json = nlohmann::ordered_json;
using Merge = std::pair<std::string, std::string>;

enum TokenType : int64_t { kUnknown = 2, kControl = 3, kUserDefined = 4 };

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581, SentencePiece's space

constexpr const char* kLlama3Words =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// The tokenizer's part of the metadata. Files without one have no `tokenizer.ggml.model`.
struct Vocabulary {
  explicit Vocabulary(const GgufFile& source)
      : file(source),
        model(source.text("tokenizer.ggml.model").value_or("")),
        types(source.integers("tokenizer.ggml.token_type")) {
    for (const std::string_view token : source.texts("tokenizer.ggml.tokens"))
      tokens.emplace_back(token);
    if (!types.empty() && types.size() != tokens.size()) {
      file.refuse("expected a token_type for each of " + std::to_string(tokens.size()) +
                  " tokens, found " + std::to_string(types.size()));
    }
    // Added tokens are matched in the text as it is, before spaces are written as U+2581.
    for (size_t id = 0; model == "llama" && id < tokens.size(); ++id) {
      if (type(id) == kUserDefined) tokens[id] = replaced(tokens[id], kSpace, " ");
    }
    for (size_t id = 0; id < tokens.size(); ++id) {
      const auto [first, fresh] = ids.emplace(tokens[id], id);
      if (!fresh) {
        file.refuse("tokens " + std::to_string(first->second) + " and " + std::to_string(id) +
                    " are both " + quoted(id));
      }
    }
  }

  int64_t type(size_t id) const { return id < types.size() ? types[id] : 1; }
  /// A token as a JSON string.
  std::string quoted(size_t id) const {
    try {
      return Json(tokens[id]).dump();
    } catch (const nlohmann::json::exception&) {
      file.refuse("token " + std::to_string(id) + " is no valid UTF-8");
    }
  }
  /// A special token by its metadata key; its id is checked against the vocabulary.
  std::optional<size_t> special(const std::string& name) const {
    const std::string key = "tokenizer.ggml." + name + "_token_id";
    const std::optional<int64_t> id = file.integer(key);
    // -1, also written unsigned, means that there is none.
    if (!id || *id == -1 || *id == int64_t{UINT32_MAX}) return std::nullopt;
    if (*id < 0 || static_cast<size_t>(*id) >= tokens.size()) {
      file.refuse("metadata \"" + key + "\": expected one of " + std::to_string(tokens.size()) +
                  " tokens, found " + std::to_string(*id));
    }
    return static_cast<size_t>(*id);
  }
  std::string_view pre_tokenizer() const {
    return file.text("tokenizer.ggml.pre").value_or("default");
  }
  bool splits_as_llama3() const {
    const std::string_view pre = pre_tokenizer();
    return pre == "llama-bpe" || pre == "llama3" || pre == "llama-v3";
  }
  bool adds(const char* name, bool otherwise) const {
    return file.boolean("tokenizer.ggml.add_" + std::string(name)).value_or(otherwise);
  }
  bool adds_bos() const { return adds("bos_token", model == "llama" || splits_as_llama3()); }

  const GgufFile& file;
  std::string_view model;
  std::vector<int64_t> types;
  std::vector<std::string> tokens;
  std::unordered_map<std::string, size_t> ids;
};

std::vector<Merge> listed_merges(const Vocabulary& vocabulary) {
  std::vector<Merge> merges;
  for (const std::string_view text : vocabulary.file.texts("tokenizer.ggml.merges")) {
    const size_t space = text.find(' ', 1);
    const std::string where =
        "merge " + std::to_string(merges.size()) + " \"" + std::string(text) + "\"";
    if (space == text.npos || space + 1 == text.size()) {
      vocabulary.file.refuse(where + ": expected two pieces with a space between them");
    }
    Merge merge(text.substr(0, space), text.substr(space + 1));
    for (const std::string& piece : {merge.first, merge.second, merge.first + merge.second}) {
      if (!vocabulary.ids.contains(piece)) {
        vocabulary.file.refuse(where + ": \"" + piece + "\" is not among the tokens");
      }
    }
    merges.push_back(std::move(merge));
  }
  return merges;
}

size_t characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](unsigned char c) { return (c & 0xC0) != 0x80; });
}

/// SentencePiece keeps no merges: every way to make a token of two others is one, the best scored
/// token first.
std::vector<Merge> implied_merges(const Vocabulary& vocabulary) {
  const std::vector<double> scores = vocabulary.file.numbers("tokenizer.ggml.scores");
  if (scores.size() != vocabulary.tokens.size()) {
    vocabulary.file.refuse("expected a score for each of " +
                           std::to_string(vocabulary.tokens.size()) + " tokens, found " +
                           std::to_string(scores.size()));
  }
  struct Ranked {
    double score;
    size_t left_size, right_size;
    Merge merge;
  };
  std::vector<Ranked> ranked;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const std::string& token = vocabulary.tokens[id];
    std::vector<std::pair<std::pair<size_t, size_t>, Merge>> ways;
    for (size_t cut = 1; cut < token.size(); ++cut) {
      if ((static_cast<unsigned char>(token[cut]) & 0xC0) == 0x80) continue;
      const auto left = vocabulary.ids.find(token.substr(0, cut));
      const auto right = vocabulary.ids.find(token.substr(cut));
      if (left == vocabulary.ids.end() || right == vocabulary.ids.end()) continue;
      ways.push_back({{left->second, right->second}, {left->first, right->first}});
    }
    std::sort(ways.begin(), ways.end());
    for (auto& [ids, merge] : ways) {
      ranked.push_back(
          {scores[id], characters(merge.first), characters(merge.second), std::move(merge)});
    }
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return std::tie(a.score, a.left_size, a.right_size) >
           std::tie(b.score, b.left_size, b.right_size);
  });
  std::vector<Merge> merges;
  for (Ranked& entry : ranked) merges.push_back(std::move(entry.merge));
  return merges;
}

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

Json sequence(const char* members, Json items) {
  return {{"type", "Sequence"}, {members, std::move(items)}};
}

Json pre_tokenizer(const Vocabulary& vocabulary) {
  const std::string_view pre = vocabulary.pre_tokenizer();
  if (pre == "smollm") {
    const Json digits = {{"type", "Digits"}, {"individual_digits", true}};
    return sequence("pretokenizers", Json::array({digits, byte_level(true)}));
  }
  if (vocabulary.splits_as_llama3()) {
    const Json split = {{"type", "Split"},
                        {"pattern", {{"Regex", kLlama3Words}}},
                        {"behavior", "Isolated"},
                        {"invert", false}};
    return sequence("pretokenizers", Json::array({split, byte_level(false)}));
  }
  if (pre == "gpt-2" || pre == "default") return byte_level(true);
  vocabulary.file.refuse("tokenizer.ggml.pre \"" + std::string(pre) +
                             "\"; known: smollm, llama-bpe, llama3, llama-v3, gpt-2, default",
                         ATTUNE_E_UNSUPPORTED);
}

/// Spaces are written as U+2581, one of them in front of the text unless the file says otherwise.
Json sentencepiece_normalizer(const Vocabulary& vocabulary) {
  Json steps = Json::array();
  if (vocabulary.adds("space_prefix", true))
    steps.push_back({{"type", "Prepend"}, {"prepend", kSpace}});
  steps.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpace}});
  return sequence("normalizers", std::move(steps));
}

Json sentencepiece_decoder(const Vocabulary& vocabulary) {
  Json steps =
      Json::array({Json{{"type", "Replace"}, {"pattern", {{"String", kSpace}}}, {"content", " "}},
                   Json{{"type", "ByteFallback"}}, Json{{"type", "Fuse"}}});
  if (vocabulary.adds("space_prefix", true)) {
    steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  return sequence("decoders", std::move(steps));
}

Json added_tokens(const Vocabulary& vocabulary) {
  Json added = Json::array();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const int64_t type = vocabulary.type(id);
    if (type != kControl && type != kUserDefined && type != kUnknown) continue;
    added.push_back({{"id", id},
                     {"content", vocabulary.tokens[id]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", type != kUserDefined}});
  }
  return added;
}

/// BOS before and EOS behind each text, as far as the file asks for them.
Json post_processor(const Vocabulary& vocabulary) {
  const auto bos = vocabulary.special("bos"), eos = vocabulary.special("eos");
  const bool begins = bos && vocabulary.adds_bos(),
             ends = eos && vocabulary.adds("eos_token", false);
  if (!begins && !ends) return nullptr;
  Json special = Json::object();
  const auto around = [&](const char* text, int type_id, Json& into) {
    const auto put = [&](size_t id) {
      const std::string& token = vocabulary.tokens[id];
      into.push_back({{"SpecialToken", {{"id", token}, {"type_id", type_id}}}});
      special[token] = {{"id", token}, {"ids", {id}}, {"tokens", {token}}};
    };
    if (begins) put(*bos);
    into.push_back({{"Sequence", {{"id", text}, {"type_id", type_id}}}});
    if (ends) put(*eos);
  };
  Json single = Json::array(), pair = Json::array();
  around("A", 0, single);
  around("A", 0, pair);
  around("B", 1, pair);
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", special}};
}

/// The members of the BPE model that are small, without the closing brace.
std::string model_head(const Vocabulary& vocabulary) {
  const bool pieces = vocabulary.model == "llama";
  const auto unknown = vocabulary.special("unknown");
  const Json head = {{"type", "BPE"},
                     {"dropout", nullptr},
                     {"unk_token", pieces && unknown ? Json(vocabulary.tokens[*unknown]) : Json()},
                     {"continuing_subword_prefix", nullptr},
                     {"end_of_word_suffix", nullptr},
                     {"fuse_unk", pieces},
                     {"byte_fallback", pieces},
                     {"ignore_merges", !pieces && vocabulary.splits_as_llama3()}};
  std::string text = head.dump();
  text.pop_back();
  return text;
}

Json special_names(const Vocabulary& vocabulary) {
  Json names = Json::object();
  for (const auto& [name, key] :
       {std::pair("bos_token", "bos"), std::pair("eos_token", "eos"),
        std::pair("unk_token", "unknown"), std::pair("pad_token", "padding")}) {
    if (const auto id = vocabulary.special(key)) names[name] = vocabulary.tokens[*id];
  }
  return names;
}

}  // namespace

std::optional<std::string> tokenizer_json(const GgufFile& file) {
  const Vocabulary vocabulary(file);
  if (vocabulary.model.empty()) return std::nullopt;
  const bool pieces = vocabulary.model == "llama";
  if (!pieces && vocabulary.model != "gpt2") {
    file.refuse(
        "tokenizer.ggml.model \"" + std::string(vocabulary.model) + "\"; known: gpt2, llama",
        ATTUNE_E_UNSUPPORTED);
  }
  Json decoder = byte_level(true);
  decoder["add_prefix_space"] = true;
  const Json head = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added_tokens(vocabulary)},
      {"normalizer", pieces ? sentencepiece_normalizer(vocabulary) : Json()},
      {"pre_tokenizer", pieces ? Json() : pre_tokenizer(vocabulary)},
      {"post_processor", post_processor(vocabulary)},
      {"decoder", pieces ? sentencepiece_decoder(vocabulary) : decoder},
  };
  const bool listed = file.has("tokenizer.ggml.merges");
  if (!listed && !pieces) file.refuse("expected metadata \"tokenizer.ggml.merges\", found none");

  // The two long members are written directly: as JSON values they would cost seconds.
  std::string text = head.dump();
  text.pop_back();
  text += ",\"model\":" + model_head(vocabulary) + ",\"vocab\":{";
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    text += (id > 0 ? "," : "") + vocabulary.quoted(id) + ":" + std::to_string(id);
  }
  text += "},\"merges\":[";
  bool first = true;
  for (const auto& [left, right] :
       listed ? listed_merges(vocabulary) : implied_merges(vocabulary)) {
    text += (first ? "[" : ",[") + Json(left).dump() + "," + Json(right).dump() + "]";
    first = false;
  }
  return text + "]}}\n";
}

std::optional<std::string> tokenizer_config_json(const GgufFile& file) {
  const Vocabulary vocabulary(file);
  if (vocabulary.model.empty()) return std::nullopt;
  Json config = special_names(vocabulary);
  config["add_bos_token"] = vocabulary.adds_bos();
  config["add_eos_token"] = vocabulary.adds("eos_token", false);
  config["clean_up_tokenization_spaces"] = false;
  if (const auto length = file.integer("llama.context_length"))
    config["model_max_length"] = *length;
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  if (const auto text = chat_template(file)) config["chat_template"] = *text;
  return config.dump(2) + "\n";
}

std::optional<std::string> chat_template(const GgufFile& file) {
  const auto text = file.text("tokenizer.chat_template");
  if (!text) return std::nullopt;
  return std::string(*text);
}

std::optional<std::string> generation_config_json(const GgufFile& file) {
  const Vocabulary vocabulary(file);
  const auto bos = vocabulary.special("bos"), eos = vocabulary.special("eos"),
             end_of_turn = vocabulary.special("eot"), padding = vocabulary.special("padding");
  if (!bos && !eos) return std::nullopt;
  Json config = Json::object();
  if (bos) config["bos_token_id"] = *bos;
  if (eos && end_of_turn && end_of_turn != eos) {
    config["eos_token_id"] = {*eos, *end_of_turn};
  } else if (eos) {
    config["eos_token_id"] = *eos;
  }
  if (padding) config["pad_token_id"] = *padding;
  return config.dump(2) + "\n";
}

}  // namespace attune
