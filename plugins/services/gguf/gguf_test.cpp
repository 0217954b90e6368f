// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>

#include "support/plugin_under_test.h"

using namespace attune;
using namespace attune::testing;
namespace fs = std::filesystem;

namespace {

/// Writes the container by hand, so that a test can also write a wrong one.
class GgufWriter {
 public:
  uint32_t version = 3;
  uint64_t alignment = 32;

  static std::string number(uint64_t value, int bytes) {
    std::string made;
    for (int i = 0; i < bytes; ++i) made += static_cast<char>(value >> (8 * i));
    return made;
  }
  static std::string text(const std::string& value) { return number(value.size(), 8) + value; }

  GgufWriter& raw(const std::string& key, uint32_t type, const std::string& value) {
    metadata_ += text(key) + number(type, 4) + value;
    return ++n_metadata_, *this;
  }
  GgufWriter& set(const std::string& key, const std::string& value) {
    return raw(key, 8, text(value));
  }
  GgufWriter& set(const std::string& key, const char* value) {
    return set(key, std::string(value));
  }
  GgufWriter& set(const std::string& key, int value) { return raw(key, 4, number(value, 4)); }
  GgufWriter& set(const std::string& key, bool value) { return raw(key, 7, number(value, 1)); }
  GgufWriter& set(const std::string& key, double value) {
    return raw(key, 6, number(std::bit_cast<uint32_t>(static_cast<float>(value)), 4));
  }
  GgufWriter& set(const std::string& key, const std::vector<std::string>& values) {
    std::string items;
    for (const std::string& value : values) items += text(value);
    return raw(key, 9, number(8, 4) + number(values.size(), 8) + items);
  }
  GgufWriter& set(const std::string& key, const std::vector<int>& values) {
    std::string items;
    for (const int value : values) items += number(static_cast<uint32_t>(value), 4);
    return raw(key, 9, number(5, 4) + number(values.size(), 8) + items);
  }
  GgufWriter& set(const std::string& key, const std::vector<float>& values) {
    return raw(key, 9, number(6, 4) + number(values.size(), 8) + floats(values));
  }
  /// Dimensions as in the file: the fastest first.
  GgufWriter& tensor(const std::string& name, const std::vector<uint64_t>& dims, uint32_t type,
                     const std::string& bytes) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
    return tensor_at(name, dims, type, data_.size(), bytes);
  }
  GgufWriter& tensor_at(const std::string& name, const std::vector<uint64_t>& dims, uint32_t type,
                        uint64_t offset, const std::string& bytes) {
    tensors_ += text(name) + number(dims.size(), 4);
    for (const uint64_t dim : dims) tensors_ += number(dim, 8);
    tensors_ += number(type, 4) + number(offset, 8);
    data_ += bytes;
    return ++n_tensors_, *this;
  }
  std::string finish() const {
    std::string head = "GGUF" + number(version, 4) + number(n_tensors_, 8) +
                       number(n_metadata_, 8) + metadata_ + tensors_;
    header_size = head.size();
    head.resize((head.size() + alignment - 1) / alignment * alignment);
    return head + data_;
  }
  mutable size_t header_size = 0;

  static std::string floats(const std::vector<float>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
  }

 private:
  std::string metadata_, tensors_, data_;
  uint64_t n_metadata_ = 0, n_tensors_ = 0;
};

/// Two heads of size 4 over a width of 4, one head for keys.
GgufWriter tiny_llama() {
  GgufWriter made;
  made.set("general.architecture", "llama")
      .set("llama.block_count", 1)
      .set("llama.context_length", 64);
  made.set("llama.embedding_length", 4).set("llama.feed_forward_length", 6);
  made.set("llama.attention.head_count", 2).set("llama.attention.head_count_kv", 1);
  made.set("llama.attention.key_length", 4).set("llama.rope.freq_base", 10000.0);
  made.set("llama.attention.layer_norm_rms_epsilon", 1e-5);
  return made;
}

std::string zeros(size_t n) { return GgufWriter::floats(std::vector<float>(n)); }

/// A file of its own in the temporary folder, gone when this goes.
class File {
 public:
  explicit File(const std::string& bytes) {
    std::string name = (fs::temp_directory_path() / "gguf_XXXXXX").string();
    const int file = mkstemp(name.data());
    path_ = name;
    EXPECT_EQ(write(file, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    close(file);
  }
  ~File() { fs::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

struct Read {
  std::string name;
  int32_t dtype;
  std::vector<int64_t> shape;
  std::string bytes;
  bool operator==(const Read&) const = default;
};

class Weights {
 public:
  explicit Weights(const std::string& bytes)
      : file_(bytes), plugin_("gguf", "weights/1", "gguf", {{"path", file_.path()}}) {}
  explicit Weights(const GgufWriter& writer) : Weights(writer.finish()) {}

  std::vector<Read> list() {
    return collect([&](auto* sink) { return plugin_->list(plugin_.self(), sink); });
  }
  Read read(const std::string& name) {
    return collect([&](auto* sink) { return plugin_->read(plugin_.self(), str(name), sink); })
        .at(0);
  }
  std::vector<float> values(const std::string& name) {
    const Read tensor = read(name);
    std::vector<float> made(tensor.bytes.size() / sizeof(float));
    if (!made.empty()) std::memcpy(made.data(), tensor.bytes.data(), tensor.bytes.size());
    return made;
  }
  std::string document(const std::string& name) {
    std::string text;
    const attune_text_sink sink{ATTUNE_END(attune_text_sink, emit), 0, &text,
                                [](void* context, attune_str given) -> int32_t {
                                  *static_cast<std::string*>(context) = string(given);
                                  return ATTUNE_OK;
                                }};
    plugin_.check(plugin_->document(plugin_.self(), str(name), &sink));
    return text;
  }
  Json json(const std::string& name) { return Json::parse(document(name)); }
  int32_t write() { return plugin_->write(plugin_.self(), str("x.gguf"), nullptr, 0, nullptr); }

 private:
  template <typename Call>
  std::vector<Read> collect(Call call) {
    std::vector<Read> found;
    const attune_tensor_sink sink{
        ATTUNE_END(attune_tensor_sink, emit), 0, &found,
        [](void* context, const attune_tensor* t) -> int32_t {
          static_cast<std::vector<Read>*>(context)->push_back(
              {string(t->name),
               t->dtype,
               {t->shape, t->shape + t->n_dims},
               std::string(static_cast<const char*>(t->data.data), t->data.size)});
          return ATTUNE_OK;
        }};
    plugin_.check(call(&sink));
    return found;
  }

  File file_;
  PluginUnderTest<attune_weights> plugin_;
};

PluginFailure failure(const std::function<void()>& action) {
  try {
    action();
  } catch (const PluginFailure& failure) {
    return failure;
  }
  return {ATTUNE_OK, ""};
}
std::string why(const std::function<void()>& action) { return failure(action).what(); }

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 2)
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  return bytes;
}

GgufWriter with_words(GgufWriter made, const char* pre) {
  made.set("tokenizer.ggml.model", "gpt2").set("tokenizer.ggml.pre", pre);
  made.set("tokenizer.ggml.tokens", std::vector<std::string>{"<|end|>", "a", "b", "ab", "<think>"});
  made.set("tokenizer.ggml.token_type", std::vector<int>{3, 1, 1, 1, 4});
  made.set("tokenizer.ggml.merges", std::vector<std::string>{"a b"});
  made.set("tokenizer.ggml.bos_token_id", 0).set("tokenizer.ggml.eos_token_id", 0);
  return made;
}

GgufWriter with_pieces(GgufWriter made) {
  made.set("tokenizer.ggml.model", "llama");
  made.set("tokenizer.ggml.tokens",
           std::vector<std::string>{"<unk>", "<s>", "</s>", "<0x0A>", "\u2581", "a", "b", "ab",
                                    "\u2581ab", "ba"});
  made.set("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, 0, -9, -8, -7, -1, -2, -1});
  made.set("tokenizer.ggml.token_type", std::vector<int>{2, 3, 3, 6, 1, 1, 1, 1, 1, 1});
  made.set("tokenizer.ggml.bos_token_id", 1)
      .set("tokenizer.ggml.eos_token_id", 2)
      .set("tokenizer.ggml.unknown_token_id", 0);
  return made;
}

}  // namespace

TEST(Gguf, DequantisesEachTypeAsTheReferenceDoes) {
  std::ifstream file(std::string(ATTUNE_SOURCE_DIR) + "/tests/reference/gguf/blocks.json");
  const Json rows = Json::parse(file);
  ASSERT_EQ(rows.size(), 10u);
  for (const auto& [name, row] : rows.items()) {
    GgufWriter made = tiny_llama();
    made.tensor("output_norm.weight", {row["elements"], row["blocks"]}, row["type"],
                from_hex(row["bytes"]));

    const Read read = Weights(made).read("model.norm.weight");

    EXPECT_EQ(read.dtype, ATTUNE_F32) << name;
    EXPECT_EQ(read.shape, (std::vector<int64_t>{row["blocks"], row["elements"]})) << name;
    EXPECT_EQ(read.bytes, from_hex(row["values"])) << name;
  }
}

TEST(Gguf, GivesPlainTypesAsTheyAre) {
  const struct {
    uint32_t type;
    int32_t dtype;
    size_t bytes;
  } rows[] = {{0, ATTUNE_F32, 4}, {1, ATTUNE_F16, 2}, {28, ATTUNE_F64, 8}, {30, ATTUNE_BF16, 2}};
  for (const auto& row : rows) {
    std::string bytes(3 * row.bytes, '\0');
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i + 1);

    Weights weights(tiny_llama().tensor("output_norm.weight", {3}, row.type, bytes));

    EXPECT_EQ(weights.read("model.norm.weight"),
              (Read{"model.norm.weight", row.dtype, {3}, bytes}));
  }
}

TEST(Gguf, NamesTensorsAsTransformersDoes) {
  const std::pair<const char*, const char*> names[] = {
      {"token_embd.weight", "model.embed_tokens.weight"},
      {"output_norm.weight", "model.norm.weight"},
      {"output.weight", "lm_head.weight"},
      {"blk.0.attn_norm.weight", "model.layers.0.input_layernorm.weight"},
      {"blk.11.attn_q.weight", "model.layers.11.self_attn.q_proj.weight"},
      {"blk.0.attn_k.weight", "model.layers.0.self_attn.k_proj.weight"},
      {"blk.0.attn_v.bias", "model.layers.0.self_attn.v_proj.bias"},
      {"blk.0.attn_output.weight", "model.layers.0.self_attn.o_proj.weight"},
      {"blk.0.ffn_norm.weight", "model.layers.0.post_attention_layernorm.weight"},
      {"blk.0.ffn_gate.weight", "model.layers.0.mlp.gate_proj.weight"},
      {"blk.0.ffn_up.weight", "model.layers.0.mlp.up_proj.weight"},
      {"blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight"},
  };
  GgufWriter made = tiny_llama();
  made.tensor("rope_freqs.weight", {2}, 0, zeros(2));
  for (const auto& [name, expected] : names) made.tensor(name, {2, 8}, 0, zeros(16));

  const std::vector<Read> listed = Weights(made).list();

  ASSERT_EQ(listed.size(), std::size(names));
  for (size_t i = 0; i < listed.size(); ++i) {
    EXPECT_EQ(listed[i], (Read{names[i].second, ATTUNE_F32, {8, 2}, ""}));
  }
}

TEST(Gguf, BringsQueryAndKeyRowsIntoTransformersOrder) {
  // llama.cpp keeps the two halves of a rotated pair side by side; Transformers keeps each half
  // together. So with heads of size 4, Transformers' rows 0 1 2 3 are the file's rows 0 2 1 3.
  GgufWriter made = tiny_llama();
  made.tensor("blk.0.attn_q.weight", {1, 8}, 0, GgufWriter::floats({0, 1, 2, 3, 4, 5, 6, 7}));
  made.tensor("blk.0.attn_k.weight", {2, 4}, 0,
              GgufWriter::floats({0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5}));
  made.tensor("blk.0.attn_q.bias", {8}, 0, GgufWriter::floats({0, 1, 2, 3, 4, 5, 6, 7}));
  made.tensor("blk.0.attn_v.weight", {1, 4}, 0, GgufWriter::floats({0, 1, 2, 3}));
  Weights weights(made);

  EXPECT_EQ(weights.values("model.layers.0.self_attn.q_proj.weight"),
            (std::vector<float>{0, 2, 1, 3, 4, 6, 5, 7}));
  EXPECT_EQ(weights.values("model.layers.0.self_attn.k_proj.weight"),
            (std::vector<float>{0, 0.5, 2, 2.5, 1, 1.5, 3, 3.5}));
  EXPECT_EQ(weights.values("model.layers.0.self_attn.q_proj.bias"),
            (std::vector<float>{0, 2, 1, 3, 4, 6, 5, 7}));
  EXPECT_EQ(weights.values("model.layers.0.self_attn.v_proj.weight"),
            (std::vector<float>{0, 1, 2, 3}));
}

TEST(Gguf, RebuildsTheConfiguration) {
  GgufWriter made = with_words(tiny_llama(), "smollm");
  made.tensor("token_embd.weight", {4, 5}, 1, std::string(40, '\0'));

  const Json config = Weights(made).json("config.json");

  const Json expected = Json::parse(R"({
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4, "intermediate_size": 6,
    "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4, "hidden_act": "silu",
    "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "rope_scaling": null, "max_position_embeddings": 64, "vocab_size": 5,
    "tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false, "torch_dtype": "float16",
    "bos_token_id": 0, "eos_token_id": 0})");
  EXPECT_EQ(config, expected) << config.dump(1);
}

TEST(Gguf, RebuildsRopeScaling) {
  GgufWriter made = tiny_llama();
  made.set("llama.rope.scaling.type", "linear").set("llama.rope.scaling.factor", 2.0);
  made.tensor("token_embd.weight", {4, 5}, 0, zeros(20));
  EXPECT_EQ(Weights(made).json("config.json")["rope_scaling"],
            Json::parse(R"({"rope_type":"linear","factor":2.0})"));

  made = tiny_llama();
  made.set("llama.rope.scaling.type", "yarn").set("llama.rope.scaling.factor", 4.0);
  made.set("llama.rope.scaling.original_context_length", 32)
      .tensor("token_embd.weight", {4, 5}, 0, zeros(20));
  EXPECT_EQ(
      Weights(made).json("config.json")["rope_scaling"],
      Json::parse(R"({"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":32})"));

  made = tiny_llama();
  made.set("llama.rope.scaling.type", "longrope").tensor("token_embd.weight", {4, 5}, 0, zeros(20));
  EXPECT_NE(why([&] {
              Weights(made).document("config.json");
            }).find("rope scaling \"longrope\"; known: none, linear, yarn"),
            std::string::npos);
}

TEST(Gguf, KnowsLlama3ByItsFrequencyFactors) {
  // Heads of size 4 have waves of 2 pi and, with a base of 1e8, 2 pi 1e4 = 62832 > 8192: not
  // scaled, and scaled in full.
  const auto file = [](std::vector<float> factors) {
    GgufWriter made;
    made.set("general.architecture", "llama")
        .set("llama.block_count", 1)
        .set("llama.context_length", 131072);
    made.set("llama.embedding_length", 8)
        .set("llama.feed_forward_length", 6)
        .set("llama.attention.head_count", 2);
    made.set("llama.attention.layer_norm_rms_epsilon", 1e-5).set("llama.rope.freq_base", 1e8);
    made.tensor("rope_freqs.weight", {factors.size()}, 0, GgufWriter::floats(factors));
    return made.tensor("token_embd.weight", {8, 5}, 0, zeros(40));
  };

  EXPECT_EQ(
      Weights(file({1, 32})).json("config.json")["rope_scaling"],
      Json::parse(
          R"({"rope_type":"llama3","factor":32.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192})"));
  EXPECT_NE(why([&] {
              Weights(file({2, 32})).document("config.json");
            }).find("\"rope_freqs.weight\""),
            std::string::npos);
}

TEST(Gguf, RebuildsAByteLevelTokenizer) {
  Weights weights(with_words(tiny_llama(), "smollm"));

  const Json made = weights.json("tokenizer.json");

  EXPECT_EQ(made["model"]["vocab"], Json::parse(R"({"<|end|>":0,"a":1,"b":2,"ab":3,"<think>":4})"));
  EXPECT_EQ(made["model"]["merges"], Json::parse(R"([["a","b"]])"));
  EXPECT_EQ(made["pre_tokenizer"]["pretokenizers"][0],
            Json::parse(R"({"type":"Digits","individual_digits":true})"));
  EXPECT_EQ(made["pre_tokenizer"]["pretokenizers"][1]["type"], "ByteLevel");
  ASSERT_EQ(made["added_tokens"].size(), 2u);
  EXPECT_EQ(made["added_tokens"][0]["content"], "<|end|>");
  EXPECT_EQ(made["added_tokens"][0]["special"], true);
  EXPECT_EQ(made["added_tokens"][1]["content"], "<think>");
  EXPECT_EQ(made["added_tokens"][1]["special"], false);
  EXPECT_TRUE(made["post_processor"].is_null());
  EXPECT_EQ(made["decoder"]["type"], "ByteLevel");
}

TEST(Gguf, SplitsWordsAsTheFileSays) {
  const Json llama3 = Weights(with_words(tiny_llama(), "llama-bpe")).json("tokenizer.json");
  EXPECT_EQ(llama3["pre_tokenizer"]["pretokenizers"][0]["type"], "Split");
  EXPECT_EQ(llama3["model"]["ignore_merges"], true);
  EXPECT_EQ(llama3["post_processor"]["single"][0]["SpecialToken"]["id"], "<|end|>");

  const Json gpt2 = Weights(with_words(tiny_llama(), "gpt-2")).json("tokenizer.json");
  EXPECT_EQ(gpt2["pre_tokenizer"]["type"], "ByteLevel");
  EXPECT_EQ(gpt2["pre_tokenizer"]["use_regex"], true);

  const PluginFailure unknown =
      failure([] { Weights(with_words(tiny_llama(), "tekken")).document("tokenizer.json"); });
  EXPECT_EQ(unknown.code, ATTUNE_E_UNSUPPORTED);
  EXPECT_NE(std::string(unknown.what()).find("tokenizer.ggml.pre \"tekken\"; known: smollm"),
            std::string::npos);
}

TEST(Gguf, RebuildsASentencePieceTokenizer) {
  const Json made = Weights(with_pieces(tiny_llama())).json("tokenizer.json");

  // Best scored first; of equal scores, the one with the longer pieces; then in the order of the
  // tokens.
  EXPECT_EQ(made["model"]["merges"], Json::parse(R"([["a","b"],["b","a"],["▁","ab"]])"))
      << made["model"]["merges"];
  EXPECT_EQ(made["model"]["byte_fallback"], true);
  EXPECT_EQ(made["model"]["unk_token"], "<unk>");
  EXPECT_EQ(made["normalizer"]["normalizers"][0],
            Json::parse(R"({"type":"Prepend","prepend":"▁"})"));
  EXPECT_EQ(made["added_tokens"].size(), 3u);
  EXPECT_EQ(
      made["post_processor"]["single"],
      Json::parse(
          R"([{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}])"));
}

TEST(Gguf, RebuildsTheSmallDocuments) {
  GgufWriter made = with_words(tiny_llama(), "smollm");
  made.set("tokenizer.chat_template", "{{ messages }}").set("tokenizer.ggml.eot_token_id", 4);
  Weights weights(made);

  EXPECT_EQ(weights.document("chat_template.jinja"), "{{ messages }}");
  EXPECT_EQ(weights.json("generation_config.json"),
            Json::parse(R"({"bos_token_id":0,"eos_token_id":[0,4]})"));
  const Json config = weights.json("tokenizer_config.json");
  EXPECT_EQ(config["bos_token"], "<|end|>");
  EXPECT_EQ(config["add_bos_token"], false);
  EXPECT_EQ(config["chat_template"], "{{ messages }}");
}

TEST(Gguf, HasNoDocumentThatTheFileImpliesNothingOf) {
  Weights weights(tiny_llama());

  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
                           "generation_config.json", "README.md"}) {
    EXPECT_EQ(failure([&] { weights.document(name); }).code, ATTUNE_E_NOT_FOUND) << name;
  }
}

TEST(Gguf, RefusesAnUnknownTypeOnlyWhenItsTensorIsRead) {
  GgufWriter made = tiny_llama();
  made.tensor("output_norm.weight", {32}, 20, std::string(64, 'x'))
      .tensor("token_embd.weight", {1, 1}, 0, zeros(1));
  Weights weights(made);

  EXPECT_EQ(weights.list().size(), 2u);
  EXPECT_EQ(weights.values("model.embed_tokens.weight"), std::vector<float>{0});
  const PluginFailure refused = failure([&] { weights.read("model.norm.weight"); });
  EXPECT_EQ(refused.code, ATTUNE_E_UNSUPPORTED);
  EXPECT_NE(
      std::string(refused.what())
          .find("tensor \"output_norm.weight\" has type 20; known: F32 (0), F16 (1), Q4_0 (2)"),
      std::string::npos);
}

TEST(Gguf, NamesWhatIsWrongWithAFile) {
  const auto norm = [](std::vector<uint64_t> dims, uint32_t type, const std::string& bytes) {
    return tiny_llama().tensor("output_norm.weight", dims, type, bytes).finish();
  };
  GgufWriter old = tiny_llama(), odd = tiny_llama(), late = tiny_llama(), over = tiny_llama();
  old.version = 1;
  odd.set("general.alignment", 24);
  late.tensor_at("output_norm.weight", {1}, 0, 4, zeros(2));
  over.tensor_at("output_norm.weight", {16}, 0, 0, zeros(16))
      .tensor_at("output.weight", {16}, 0, 32, zeros(8));
  const struct {
    std::string bytes, message;
  } rows[] = {
      {"GGML....", "no GGUF file: expected \"GGUF\" at its start"},
      {"", "expected 4 bytes for the magic number at byte 0, found 0"},
      {old.finish(), "GGUF version 1; known: 2 and 3"},
      {GgufWriter().set("general.architecture", "gemma2").finish(),
       "gguf architecture \"gemma2\"; known: llama"},
      {tiny_llama().set("llama.expert_count", 8).finish(), "a mixture of experts"},
      {tiny_llama().set("split.count", 2).finish(), "one of 2 parts; join them"},
      {GgufWriter().set("general.architecture", "llama").finish(),
       "expected metadata \"llama.attention.head_count\", found none"},
      {GgufWriter().set("general.architecture", 3).finish(),
       "metadata \"general.architecture\": expected a string, found U32"},
      {tiny_llama().set("llama.block_count", 2).finish(),
       "metadata \"llama.block_count\" is there twice"},
      {tiny_llama().raw("x", 77, "").finish(),
       "metadata \"x\": expected a value type from 0 to 12, found 77"},
      {tiny_llama().raw("x", 9, GgufWriter::number(4, 4) + GgufWriter::number(~0ull, 8)).finish(),
       "metadata \"x\": expected 18446744073709551615 items, found room for"},
      {tiny_llama().raw("x", 8, GgufWriter::number(~0ull, 8)).finish(),
       "expected 18446744073709551615 bytes for metadata \"x\""},
      {odd.finish(), "\"general.alignment\": expected a power of two, found 24"},
      {norm({1, 1, 1, 1, 1}, 0, zeros(1)),
       "tensor \"output_norm.weight\": expected at most 4 dimensions, found 5"},
      {norm({1ull << 40, 1ull << 40}, 0, ""), "more elements than fit in any memory"},
      {norm({3}, 0, zeros(2)),
       "tensor \"output_norm.weight\": expected 12 bytes at offset 0, found a file with 8 bytes of "
       "tensors"},
      {norm({33}, 2, std::string(36, 'x')),
       "Q4_0 holds rows of a multiple of 32 elements, found 33"},
      {late.finish(), "expected an offset that is a multiple of 32, found 4"},
      {over.finish(), "the bytes of tensors \"output_norm.weight\" and \"output.weight\" overlap"},
      {tiny_llama().tensor("blk.0.attn_qkv.weight", {1}, 0, zeros(1)).finish(),
       "tensor \"blk.0.attn_qkv.weight\" has no place in a Llama"},
      {tiny_llama().tensor("blk.0.attn_q.weight", {1, 6}, 0, zeros(6)).finish(),
       "expected rows for 2 heads of even size, found 6"},
  };
  for (const auto& row : rows) {
    const std::string found = why([&] { Weights{row.bytes}; });

    EXPECT_NE(found.find(row.message), std::string::npos)
        << "expected: " << row.message << "\n   found: " << found;
  }
}

TEST(Gguf, NamesWhatIsWrongWithATokenizer) {
  const auto words = [](std::vector<std::string> tokens, std::vector<std::string> merges) {
    GgufWriter made = tiny_llama();
    return made.set("tokenizer.ggml.model", "gpt2")
        .set("tokenizer.ggml.tokens", tokens)
        .set("tokenizer.ggml.merges", merges);
  };
  const std::pair<GgufWriter, const char*> rows[] = {
      {words({"a", "a"}, {}), "tokens 0 and 1 are both \"a\""},
      {words({"a", "\xff"}, {}), "token 1 is no valid UTF-8"},
      {words({"a", "b"}, {"ab"}), "merge 0 \"ab\": expected two pieces with a space between them"},
      {words({"a", "b"}, {"a b"}), "merge 0 \"a b\": \"ab\" is not among the tokens"},
      {words({"a"}, {}).set("tokenizer.ggml.bos_token_id", 7),
       "\"tokenizer.ggml.bos_token_id\": expected one of 1 tokens, found 7"},
      {words({"a"}, {}).set("tokenizer.ggml.token_type", std::vector<int>{1, 1}),
       "expected a token_type for each of 1 tokens, found 2"},
      {tiny_llama().set("tokenizer.ggml.model", "bert"),
       "tokenizer.ggml.model \"bert\"; known: gpt2, llama"},
  };
  for (const auto& [file, message] : rows) {
    const std::string found = why([&, &file = file] { Weights(file).document("tokenizer.json"); });

    EXPECT_NE(found.find(message), std::string::npos)
        << "expected: " << message << "\n   found: " << found;
  }
}

namespace {

/// All that can be asked of a file.
void use(const std::string& bytes) {
  Weights weights(bytes);
  for (const Read& tensor : weights.list()) why([&] { weights.read(tensor.name); });
  for (const char* name : {"config.json", "tokenizer.json", "tokenizer_config.json",
                           "chat_template.jinja", "generation_config.json"}) {
    why([&] { weights.document(name); });
  }
}

GgufWriter everything(bool pieces) {
  GgufWriter made = pieces ? with_pieces(tiny_llama()) : with_words(tiny_llama(), "llama-bpe");
  made.set("tokenizer.chat_template", "{{ messages }}");
  made.tensor("token_embd.weight", {4, 5}, 0, zeros(20))
      .tensor("blk.0.attn_q.weight", {32, 8}, 3, std::string(160, 7));
  return made.tensor("output_norm.weight", {3}, 1, "abcdef");
}

}  // namespace

TEST(Gguf, RefusesEveryTruncation) {
  const std::string whole = everything(false).finish();
  ASSERT_EQ(why([&] { use(whole); }), "");
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(Weights{whole.substr(0, size)}, PluginFailure)
        << size << " of " << whole.size() << " bytes";
  }
}

TEST(Gguf, SurvivesFlippedBytes) {
  std::mt19937 random(3);
  for (const bool pieces : {false, true}) {
    const GgufWriter made = everything(pieces);
    const std::string whole = made.finish();
    for (int round = 0; round < 600; ++round) {
      std::string bytes = whole;
      for (int flips = 1 + round % 3; flips > 0; --flips)
        bytes[random() % made.header_size] = static_cast<char>(random());
      why([&] { use(bytes); });
    }
  }
}

TEST(Gguf, IsNotWritten) { EXPECT_EQ(Weights(tiny_llama()).write(), ATTUNE_E_UNSUPPORTED); }
