// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/checkpoint.h"

#include <gtest/gtest.h>

#include "host/fakes.h"
#include "host/scratch_folder.h"
#include "kernel/host/run/import_model.h"

namespace attune::testing {
namespace {

/// A format of the test: each line is a tensor of one F32, its name and its number.
class LineWeights {
 public:
  explicit LineWeights(Value) : file_(opening()) {}
  static std::string& opening() {
    static std::string file;
    return file;
  }

  void list(const TensorSink& emit) {
    for (const auto& [name, number] : lines()) emit(tensor(name, nullptr));
  }
  void read(std::string_view name, const TensorSink& emit) {
    for (const auto& [known, number] : lines()) {
      if (known == name) return emit(tensor(known, &number));
    }
    throw Error("no tensor", ATTUNE_E_NOT_FOUND);
  }
  std::optional<std::string> document(std::string_view name) {
    if (name == "config.json") return "{\"from\": \"file\"}";
    return std::nullopt;
  }
  void write(const std::string&, const attune_tensor*, size_t, Value) {}

 private:
  attune_tensor tensor(const std::string& name, const float* number) const {
    static constexpr int64_t kShape[] = {1};
    return {str(name), ATTUNE_F32, 1, kShape, {number, number ? sizeof *number : 0}};
  }
  std::vector<std::pair<std::string, float>> lines() const {
    std::ifstream in(file_);
    std::vector<std::pair<std::string, float>> found;
    std::string name;
    for (float number; in >> name >> number;) found.emplace_back(name, number);
    return found;
  }
  std::string file_;
};

WeightsFormats line_format() {
  return {{".line"}, [](const std::string& path) -> WeightsFile {
            LineWeights::opening() = path;
            return {fake_plugin<attune_weights>(&create_weights<LineWeights>),
                    fake_failure("weights \"line\"")};
          }};
}

float number_in(Checkpoint& checkpoint, std::string_view name) {
  float number = 0;
  checkpoint.read(name, [&](const attune_tensor& tensor) {
    number = *static_cast<const float*>(tensor.data.data);
  });
  return number;
}

std::string refusal(const std::function<void()>& body) {
  try {
    body();
    return "";
  } catch (const ExitError& error) {
    EXPECT_EQ(error.exit(), Exit::kData);
    return error.what();
  }
}

TEST(Checkpoint, OneFileHasTensorsAndDocuments) {
  const ScratchFolder folder;
  write(folder / "m.line", "a 1\nb 2\n");

  const auto checkpoint = open_checkpoint(folder / "m.line", line_format());

  EXPECT_EQ(checkpoint->tensors().size(), 2u);
  EXPECT_EQ(number_in(*checkpoint, "b"), 2);
  EXPECT_EQ(checkpoint->document("config.json"), "{\"from\": \"file\"}");
  EXPECT_EQ(checkpoint->document("tokenizer.json"), "");
}

TEST(Checkpoint, AFolderPrefersItsOwnDocuments) {
  const ScratchFolder folder;
  write(folder / "model.line", "a 1\n");
  write(folder / "other.line", "a 2\n");
  write(folder / "config.json", "{\"from\": \"folder\"}");

  const auto checkpoint = open_checkpoint(folder.str(), line_format());

  EXPECT_EQ(number_in(*checkpoint, "a"), 1);
  EXPECT_EQ(checkpoint->document("config.json"), "{\"from\": \"folder\"}");
}

TEST(Checkpoint, AnIndexJoinsShards) {
  const ScratchFolder folder;
  write(folder / "one.line", "a 1\n");
  write(folder / "two.line", "b 2\n");
  write(folder / "model.line.index.json", R"({"weight_map": {"a": "one.line", "b": "two.line"}})");

  const auto checkpoint = open_checkpoint(folder.str(), line_format());

  EXPECT_EQ(checkpoint->tensors().size(), 2u);
  EXPECT_EQ(number_in(*checkpoint, "a"), 1);
  EXPECT_EQ(number_in(*checkpoint, "b"), 2);
}

TEST(Checkpoint, WhatIsWrongIsNamed) {
  const ScratchFolder folder;
  write(folder / "one.line", "a 1\n");
  write(folder / "two.line", "b 1\n");
  const auto open = [&](const std::string& path) {
    open_checkpoint(path, line_format())->tensors();
  };

  EXPECT_NE(refusal([&] { open(folder / "none"); }).find("there is no such checkpoint"),
            std::string::npos);
  EXPECT_NE(refusal([&] { open(folder.str()); }).find("exactly one file of .line; found 2"),
            std::string::npos);
  write(folder / "model.line.index.json", R"({"weight_map": {"a": "three.line"}})");
  EXPECT_NE(refusal([&] { open(folder.str()); }).find("three.line: is named by the index"),
            std::string::npos);
  write(folder / "model.line.index.json", R"({"weight_map": {"c": "one.line"}})");
  EXPECT_NE(
      refusal([&] { open(folder.str()); }).find("has no tensor \"c\" although the index says so"),
      std::string::npos);
  write(folder / "model.line.index.json", R"({"weight_map": {"a": "../one.line"}})");
  EXPECT_NE(refusal([&] { open(folder.str()); }).find("a file beside the index"),
            std::string::npos);
  write(folder / "model.line.index.json", "{");
  EXPECT_NE(refusal([&] { open(folder.str()); }).find("is no JSON"), std::string::npos);
}

TEST(Checkpoint, AnUnknownTensorIsNamed) {
  const ScratchFolder folder;
  write(folder / "m.line", "a 1\n");
  const auto checkpoint = open_checkpoint(folder / "m.line", line_format());

  EXPECT_NE(refusal([&] { number_in(*checkpoint, "zzz"); }).find("has no tensor \"zzz\""),
            std::string::npos);
}

TEST(Checkpoint, TheDigestFollowsBytesAndConfiguration) {
  const ScratchFolder folder;
  write(folder / "model.line", "a 1\n");
  write(folder / "config.json", "{}");
  const auto digest = [&] { return open_checkpoint(folder.str(), line_format())->digest(); };
  const std::string before = digest();

  write(folder / "config.json", "{\"a\": 1}");
  const std::string configured = digest();
  write(folder / "model.line", "a 22\n");

  EXPECT_NE(configured, before);
  EXPECT_NE(digest(), configured);
}

TEST(Import, FloatsRoundToTheNearestBfloat16) {
  const float numbers[] = {1.0f, 1.00390625f, 1.01171875f, -0.0f, 3.4028234e38f};
  const int64_t shape[] = {5};
  const attune_tensor tensor{{}, ATTUNE_F32, 1, shape, {numbers, sizeof numbers}};

  const std::string out = convert_floats(tensor, ATTUNE_BF16);

  // 1 + 2^-8 lies between 0x3F80 and 0x3F81 and goes to the even one; 1 + 3 * 2^-8 goes up to
  // 0x3F82.
  const auto* bits = reinterpret_cast<const uint16_t*>(out.data());
  EXPECT_EQ(std::vector<uint16_t>(bits, bits + 5),
            (std::vector<uint16_t>{0x3F80, 0x3F80, 0x3F82, 0x8000, 0x7F80}));
}

TEST(Import, HalvesBecomeTheSameNumbers) {
  const uint16_t halves[] = {0x3C00, 0xC000, 0x0001, 0x7BFF, 0x8000};  // 1, -2, 2^-24, 65504, -0
  const int64_t shape[] = {5};
  const attune_tensor tensor{{}, ATTUNE_F16, 1, shape, {halves, sizeof halves}};

  const std::string out = convert_floats(tensor, ATTUNE_F32);

  const auto* numbers = reinterpret_cast<const float*>(out.data());
  EXPECT_EQ(std::vector<float>(numbers, numbers + 4),
            (std::vector<float>{1.0f, -2.0f, 0x1p-24f, 65504.0f}));
  EXPECT_TRUE(std::signbit(numbers[4]));
}

TEST(Import, IntegersPassUnchanged) {
  const int64_t numbers[] = {7};
  const int64_t shape[] = {1};
  const attune_tensor tensor{{}, ATTUNE_I64, 1, shape, {numbers, sizeof numbers}};

  EXPECT_EQ(convert_floats(tensor, ATTUNE_BF16).size(), 8u);
}

}  // namespace
}  // namespace attune::testing
