// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <filesystem>

#include "attune/weights.h"
#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"
#include "kernel/host/validate/forms.h"
#include "kernel/host/validate/kinds.h"

namespace attune::validate {
namespace {

namespace fs = std::filesystem;

const attune_weights* table_of(const void* table) { return static_cast<const attune_weights*>(table); }

/// Tensors of several types and shapes, made by arithmetic.
class Tensors {
 public:
  Tensors() {
    add("model.embed.weight", ATTUNE_F32, {7, 3});
    add("model.layers.0.bias", ATTUNE_BF16, {5});
    add("scale", ATTUNE_F32, {1});
    add("positions", ATTUNE_I64, {2, 2, 2});
    add("mask", ATTUNE_U8, {4});
    add("none", ATTUNE_F32, {0, 3});
  }
  const std::deque<attune_tensor>& all() const { return tensors_; }
  std::vector<attune_tensor> array() const { return {tensors_.begin(), tensors_.end()}; }

 private:
  void add(const char* name, int32_t dtype, std::vector<int64_t> shape) {
    size_t count = 1;
    for (const int64_t size : shape) count *= static_cast<size_t>(size);
    std::string& bytes = bytes_.emplace_back(count * dtype_size(dtype), 0);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + tensors_.size());
    const auto& kept = shapes_.emplace_back(std::move(shape));
    tensors_.push_back({str(name), dtype, static_cast<int32_t>(kept.size()), kept.data(), {bytes.data(), bytes.size()}});
  }
  std::deque<std::string> bytes_;
  std::deque<std::vector<int64_t>> shapes_;
  std::deque<attune_tensor> tensors_;
};

/// A tensor as JSON; of its data the digest. Throws Failed where its size is not that of its shape.
Json described(const attune_tensor& tensor, bool data) {
  if (dtype_size(tensor.dtype) == 0) throw Failed("a tensor: expected a dtype from 1 to 10, found " + std::to_string(tensor.dtype));
  if (tensor.n_dims < 0 || (tensor.n_dims > 0 && !tensor.shape)) throw Failed("a tensor: expected a shape, found NULL");
  Json made = {
      {"name", string(tensor.name)}, {"dtype", tensor.dtype}, {"shape", std::vector<int64_t>(tensor.shape, tensor.shape + tensor.n_dims)}};
  if (!data) return made;
  size_t bytes = dtype_size(tensor.dtype);
  for (int32_t d = 0; d < tensor.n_dims; ++d) bytes *= static_cast<size_t>(tensor.shape[d]);
  if (bytes != tensor.data.size)
    throw Failed("tensor \"" + string(tensor.name) + "\": expected " + std::to_string(bytes) + " bytes, found " +
                 std::to_string(tensor.data.size));
  made["data"] = std::to_string(std::hash<std::string_view>()({static_cast<const char*>(tensor.data.data), tensor.data.size}));
  return made;
}

std::string suffix(const Subject& subject) {
  const Json declared = subject.factory.metadata.value("suffixes", Json::array());
  return declared.empty() ? "" : declared[0].get<std::string>();
}

class Weights final : public Kind {
 public:
  std::string_view id() const override { return "weights/1"; }
  std::string missing(const void* table) const override {
    const auto* t = table_of(table);
    return first_missing({{"destroy", ATTUNE_HAS(t, attune_weights, destroy) != 0},
                          {"list", ATTUNE_HAS(t, attune_weights, list) != 0},
                          {"read", ATTUNE_HAS(t, attune_weights, read) != 0},
                          {"document", ATTUNE_HAS(t, attune_weights, document) != 0}});
  }
  void destroy(void* table) const override { table_of(table)->destroy(table_of(table)->self); }
  std::string hint() const override {
    return "it writes no file, and none is known; name one with --cases, [{\"options\": {\"path\": \"...\"}, \"weights\": true}]";
  }

  std::vector<Input> good(const Subject& subject) const override {
    std::vector<Input> found = subject.written("weights");
    for (Input& one : found) one.given = Json::object();
    if (!found.empty()) return found;
    const std::string file = subject.out() + "/written" + suffix(subject);
    if (!fs::exists(file) && !write(subject, file).empty()) return {};
    return {{"a file of its own", subject.complete({{"path", file}}), Json::object()}};
  }

  std::vector<Input> bad(const Subject& subject) const override {
    std::vector<Input> found;
    const auto file = [&](const std::string& name, const std::string& bytes) {
      const std::string path = subject.out() + "/bad" + std::to_string(found.size()) + suffix(subject);
      spill(path, bytes);
      found.push_back({name, subject.complete({{"path", path}}), Json::object()});
    };
    file("an empty file", "");
    file("a file of zeros", std::string(4096, '\0'));
    file("a file of ones", std::string(4096, '\xFF'));
    found.push_back({"no file", subject.complete({{"path", subject.out() + "/there/is/none" + suffix(subject)}}), Json::object()});
    for (const Input& one : good(subject)) {
      found.push_back({"a tensor that is not there", one.options, {{"name", "no.such.tensor"}}});
      found.push_back({"a document that is not there", one.options, {{"document", "no such document"}}});
    }
    return found;
  }

  std::vector<Input> huge(const Subject& subject) const override {
    const std::string path = subject.out() + "/huge" + suffix(subject);
    std::string bytes;
    for (const Input& one : good(subject)) bytes = read_text(one.options["path"].get<std::string>());
    if (bytes.empty()) return {};
    spill(path, bytes + std::string(8 << 20, 'x'));
    return {{"8 MiB behind the file", subject.complete({{"path", path}}), Json::object()}};
  }

  Json use(Witness& witness, void* table, const Json& given, SinkRule& rule) const override {
    const auto* t = table_of(table);
    if (given.contains("name")) return read(witness, t, given["name"], rule);
    if (given.contains("document")) return document(witness, t, given["document"], rule);
    Json tensors = Json::array(), contents = Json::array();
    const auto sink = watched<attune_tensor_sink, const attune_tensor*>(
        rule, [&](const attune_tensor* tensor) { tensors.push_back(described(*tensor, false)); });
    const Answer answer = called(witness, "list", rule, [&] { return t->list(t->self, sink.get()); });
    sink.check();
    if (!answer.ok()) return {{"list", tensors}, {"end", answer.json()}};
    for (size_t i = 0; !rule.refused && i < tensors.size() && i < 20; ++i) contents.push_back(read(witness, t, tensors[i]["name"], rule));
    const Json config = rule.refused ? Json() : document(witness, t, "config.json", rule);
    return {{"list", tensors}, {"contents", contents}, {"config", config}, {"end", answer.json()}};
  }

  std::vector<Test> tests(Engine*) const override {
    return {{"write-read", "What is written is read back, bit for bit", [this](const Subject& subject) { write_read(subject); }},
            {"list", "What is listed can be read, and is as described", [this](const Subject& subject) { list(subject); }},
            {"not-found", "What is not there is ATTUNE_E_NOT_FOUND", [this](const Subject& subject) { not_found(subject); }},
            {"damaged-file", "A damaged file is read or refused, and nothing else", [this](const Subject& subject) { damaged(subject); }}};
  }

 private:
  /// Writes the tensors; "" or why it cannot.
  std::string write(const Subject& subject, const std::string& file) const {
    Stage stage(subject);
    const Instance instance(subject, stage, subject.complete({{"path", ""}}));
    const auto* t = table_of(instance.table());
    if (!ATTUNE_HAS(t, attune_weights, write)) return "it has no `write`";
    const Tensors tensors;
    const std::vector<attune_tensor> array = tensors.array();
    Arena arena;
    const attune_value metadata = to_value({{"format", "pt"}}, arena);
    const Answer answer = stage.witness.call("write", [&] { return t->write(t->self, str(file), array.data(), array.size(), &metadata); });
    return answer.ok() ? "" : answer.why;
  }

  static Json read(Witness& witness, const attune_weights* t, const std::string& name, SinkRule& rule) {
    Json found;
    const auto sink =
        watched<attune_tensor_sink, const attune_tensor*>(rule, [&](const attune_tensor* tensor) { found = described(*tensor, true); });
    const Answer answer = called(witness, "read", rule, [&] { return t->read(t->self, str(name), sink.get()); });
    sink.check();
    return answer.ok() ? found : answer.json();
  }

  static Json document(Witness& witness, const attune_weights* t, const std::string& name, SinkRule& rule) {
    Json found;
    const auto sink = watched<attune_text_sink, attune_str>(rule, [&](attune_str text) { found = string(text); });
    const Answer answer = called(witness, "document", rule, [&] { return t->document(t->self, str(name), sink.get()); });
    return answer.ok() ? found : answer.json();
  }

  void write_read(const Subject& subject) const {
    const std::string file = subject.out() + "/round" + suffix(subject);
    if (const std::string why = write(subject, file); !why.empty()) throw Skipped("it does not write: " + why);
    Stage stage(subject);
    const Instance instance(subject, stage, subject.complete({{"path", file}}));
    SinkRule rule;
    const Tensors tensors;
    for (const attune_tensor& tensor : tensors.all())
      expect_equal(read(stage.witness, table_of(instance.table()), string(tensor.name), rule), described(tensor, true),
                   "tensor \"" + string(tensor.name) + "\"");
    const Json all = use(stage.witness, instance.table(), Json::object(), rule);
    if (all["list"].size() != tensors.all().size())
      throw Failed("wrote " + std::to_string(tensors.all().size()) + " tensors, listed " + std::to_string(all["list"].size()));
  }

  void list(const Subject& subject) const {
    Stage stage(subject);
    for (const Input& input : some_good(subject)) {
      const Json made = use_fresh(subject, stage, input);
      if (!made.contains("end") || made["end"] != "ok") throw Failed(input.name + ": expected it to be read, found " + brief(made));
      for (size_t i = 0; i < made["contents"].size(); ++i) {
        Json described = made["contents"][i];
        described.erase("data");
        expect_equal(described, made["list"][i], input.name + ": what is read against what is listed");
      }
    }
  }

  void not_found(const Subject& subject) const {
    Stage stage(subject);
    const Instance instance(subject, stage, some_good(subject).front().options);
    SinkRule rule;
    for (const bool tensor : {true, false}) {
      const Json found = tensor ? read(stage.witness, table_of(instance.table()), "no.such.tensor", rule)
                                : document(stage.witness, table_of(instance.table()), "no such document", rule);
      if (!found.is_object() || found.value("code", 0) != ATTUNE_E_NOT_FOUND)
        throw Failed(std::string(tensor ? "read of a tensor" : "document") + " that is not there: expected ATTUNE_E_NOT_FOUND, found " +
                     brief(found));
    }
  }

  void damaged(const Subject& subject) const {
    Stage stage(subject);
    const Input fine = some_good(subject).front();
    const std::string bytes = read_text(fine.options["path"].get<std::string>());
    if (bytes.size() > (size_t{4} << 20)) throw Skipped("its file has more than 4 MiB");
    uint64_t dice = 1;
    const auto roll = [&](size_t below) {
      return static_cast<size_t>((dice = dice * 6364136223846793005u + 1442695040888963407u) >> 33) % below;
    };
    for (int i = 0; i < 60 && !bytes.empty(); ++i) {
      std::string wrong = bytes.substr(0, i % 2 ? bytes.size() : roll(bytes.size()));
      for (size_t flips = i % 2 ? 1 + roll(4) : 0; flips > 0; --flips)
        wrong[roll(std::min<size_t>(wrong.size(), 400))] ^= static_cast<char>(1 << roll(8));
      const std::string path = subject.out() + "/damaged" + std::to_string(i) + suffix(subject);
      spill(path, wrong);
      use_fresh(subject, stage, {"", subject.complete({{"path", path}}), Json::object()});
      fs::remove(path);
    }
  }
};

}  // namespace

const Kind& weights_kind() {
  static const Weights kind;
  return kind;
}

}  // namespace attune::validate
