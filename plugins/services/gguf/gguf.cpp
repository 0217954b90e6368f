// SPDX-License-Identifier: Apache-2.0
// Checkpoints in llama.cpp's GGUF format (github.com/ggml-org/ggml, docs/gguf.md), given as the
// Hugging Face checkpoint that they were made from: names, row order and shapes of Transformers;
// quantised tensors as F32.
#include <memory>

#include "attune/weights.h"
#include "gguf_file.h"
#include "llama.h"
#include "tokenizer_documents.h"

namespace {

using namespace attune;

attune_tensor description(const LlamaTensor& tensor) {
  const GgufTensor& source = *tensor.source;
  return {str(tensor.name),
          source.type ? source.type->dtype : 0,
          static_cast<int32_t>(source.shape.size()),
          source.shape.data(),
          {nullptr, 0}};
}

/// The tensor's elements as the reader gets them: rows in Transformers' order, blocks as floats.
std::unique_ptr<char[]> unpacked(const LlamaTensor& tensor, size_t& size) {
  const GgufTensor& source = *tensor.source;
  const QuantType& type = *source.type;
  const bool vector = source.shape.size() == 1 && tensor.heads > 0;
  const size_t blocks = source.bytes.size() / type.bytes;
  const int64_t rows =
      source.shape.empty() || (source.shape.size() == 1 && !vector) ? 1 : source.shape[0];
  const size_t blocks_of_row = rows > 0 ? blocks / rows : 0;
  const size_t block_out = type.decode ? type.elements * sizeof(float) : type.bytes;

  size = blocks * block_out;
  auto data = std::make_unique_for_overwrite<char[]>(size);
  char* out = data.get();
  for (int64_t row = 0; row < rows; ++row) {
    const size_t first = tensor.source_row(row, rows) * blocks_of_row;
    const char* in = source.bytes.data() + first * type.bytes;
    if (!type.decode) {
      std::memcpy(out, in, blocks_of_row * type.bytes);
      out += blocks_of_row * type.bytes;
      continue;
    }
    for (size_t b = 0; b < blocks_of_row; ++b, in += type.bytes, out += block_out) {
      type.decode(reinterpret_cast<const uint8_t*>(in), reinterpret_cast<float*>(out));
    }
  }
  return data;
}

class Gguf {
 public:
  explicit Gguf(Value options) : path_(options["path"].text("")) {
    if (path_.empty()) return;
    file_ = std::make_unique<GgufFile>(path_);
    llama_ = std::make_unique<LlamaCheckpoint>(*file_);
  }

  void list(const TensorSink& emit) {
    need_path();
    for (const LlamaTensor& tensor : llama_->tensors()) emit(description(tensor));
  }

  void read(std::string_view name, const TensorSink& emit) {
    need_path();
    const LlamaTensor* tensor = llama_->find(name);
    if (!tensor) file_->refuse("no tensor \"" + std::string(name) + "\"", ATTUNE_E_NOT_FOUND);
    const GgufTensor& source = *tensor->source;
    if (!source.type) {
      file_->refuse("tensor \"" + std::string(source.name) + "\" has type " +
                        std::to_string(source.type_number) + "; known: " + known_quant_types(),
                    ATTUNE_E_UNSUPPORTED);
    }
    attune_tensor given = description(*tensor);
    given.data = {source.bytes.data(), source.bytes.size()};
    std::unique_ptr<char[]> data;
    if (source.type->decode || tensor->heads > 0 || misaligned(source)) {
      data = unpacked(*tensor, given.data.size);
      given.data.data = data.get();
    }
    emit(given);
  }

  std::optional<std::string> document(std::string_view name) {
    need_path();
    if (name == "config.json") return llama_->config();
    if (name == "tokenizer.json") return tokenizer_json(*file_);
    if (name == "tokenizer_config.json") return tokenizer_config_json(*file_);
    if (name == "chat_template.jinja") return chat_template(*file_);
    if (name == "generation_config.json") return generation_config_json(*file_);
    return std::nullopt;
  }

  void write(const std::string& path, const attune_tensor*, size_t, Value) {
    throw Error(path + ": gguf is only read; write a .safetensors file", ATTUNE_E_UNSUPPORTED);
  }

 private:
  void need_path() const {
    if (!file_) throw Error("gguf: expected option `path` with the file to read, found none");
  }
  static bool misaligned(const GgufTensor& tensor) {
    return reinterpret_cast<uintptr_t>(tensor.bytes.data()) % tensor.type->bytes != 0;
  }

  std::string path_;
  std::unique_ptr<GgufFile> file_;
  std::unique_ptr<LlamaCheckpoint> llama_;
};

ATTUNE_WEIGHTS(gguf, "gguf", Gguf);

}  // namespace

ATTUNE_PLUGIN(&gguf)
