// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sstream>

#include "cli/shell.h"
#include "host/scratch_folder.h"
#include "kernel/host/json.h"

namespace attune::testing {
namespace {

const std::string kModel = ATTUNE_SOURCE_DIR "/configs/tiny/model";

TEST(CliTokenize, AConversationComesWithOffsetsAndScoredSpans) {
  const ScratchFolder folder;
  write(folder / "in.jsonl",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", "
        "\"content\": \"Yes.\"}]}\n{\"text\": \"abc\"}\n");

  const Outcome outcome = shell("attune tokenize " + kModel + " --input " + (folder / "in.jsonl") +
                                " --output " + (folder / "out.jsonl"));

  ASSERT_EQ(outcome.code, 0) << outcome.text;
  std::istringstream lines(read(folder / "out.jsonl"));
  std::string first, second;
  std::getline(lines, first), std::getline(lines, second);
  const Json chat = Json::parse(first), text = Json::parse(second);
  const std::string rendered = chat["rendered"];
  ASSERT_EQ(chat["scored"].size(), 1u);
  const size_t begin = chat["scored"][0][0], end = chat["scored"][0][1];
  EXPECT_EQ(rendered.substr(begin, end - begin), "Yes.");
  EXPECT_EQ(chat["ids"].size(), chat["offsets"].size());
  EXPECT_EQ(text["rendered"], "abc");
  EXPECT_EQ(text["scored"], Json::array());
}

TEST(CliTokenize, AMistakeNamesTheLineAndLeavesNoOutput) {
  const ScratchFolder folder;
  write(folder / "in.jsonl", "{\"text\": \"abc\"}\n\n{\"txt\": \"abc\"}\n");

  const Outcome outcome = shell("attune tokenize " + kModel + " --input " + (folder / "in.jsonl") +
                                " --output " + (folder / "out.jsonl"));

  EXPECT_EQ(outcome.code, 6);
  EXPECT_TRUE(has(outcome.text, "in.jsonl:3: expected one of: text, messages; found only: txt"))
      << outcome.text;
  EXPECT_FALSE(std::filesystem::exists(folder / "out.jsonl"));
}

TEST(CliData, SamplesAreShownWithTheScoredSpansMarked) {
  const Outcome outcome =
      shell("attune data inspect " ATTUNE_SOURCE_DIR "/configs/tiny.toml --stage dpo -n 1");

  EXPECT_EQ(outcome.code, 0) << outcome.text;
  for (const char* part : {"chosen", "rejected", "⟦", "⟧", "tokens"})
    EXPECT_TRUE(has(outcome.text, part)) << part << "\n" << outcome.text;
}

/// A folder with one tensor "w" of two numbers.
void write_model(const ScratchFolder& folder, float first, float second) {
  const std::string header = R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const uint64_t size = header.size();
  std::string bytes(reinterpret_cast<const char*>(&size), sizeof size);
  const float numbers[] = {first, second};
  bytes += header + std::string(reinterpret_cast<const char*>(numbers), sizeof numbers);
  std::filesystem::create_directories(folder / "model");
  write(folder / "model/model.safetensors", bytes);
  write(folder / "model/config.json", "{\"architectures\": [\"X\"], \"torch_dtype\": \"float16\"}");
  write(folder / "model/tokenizer.json", "{}");
}

TEST(CliImport, WritesAWholeFolderOnceAndNeverOverIt) {
  const ScratchFolder folder;
  write_model(folder, 1.0f, -2.0f);
  const std::string line =
      "attune import " + (folder / "model") + " " + (folder / "out") + " --dtype bfloat16";

  const Outcome first = shell(line), second = shell(line);

  EXPECT_EQ(first.code, 0) << first.text;
  EXPECT_EQ(Json::parse(read(folder / "out/config.json"))["dtype"], "bfloat16");
  EXPECT_EQ(read(folder / "out/tokenizer.json"), "{}");
  const std::string bytes = read(folder / "out/model.safetensors");
  EXPECT_TRUE(has(bytes, "\"BF16\"")) << bytes;
  EXPECT_EQ(bytes.substr(bytes.size() - 4), std::string("\x80\x3f\x00\xc0", 4));
  EXPECT_EQ(second.code, 1);
  EXPECT_TRUE(has(second.text, "never overwritten")) << second.text;
}

TEST(CliImport, ATruncatedFileIsRefusedAndNothingIsLeft) {
  const ScratchFolder folder;
  write_model(folder, 1.0f, -2.0f);
  const std::string bytes = read(folder / "model/model.safetensors");
  write(folder / "model/model.safetensors", bytes.substr(0, bytes.size() - 3));

  const Outcome outcome = shell("attune import " + (folder / "model") + " " + (folder / "out"));

  EXPECT_EQ(outcome.code, 6) << outcome.text;
  EXPECT_TRUE(has(outcome.text, "model.safetensors")) << outcome.text;
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.str()), {}), 1);
}

TEST(CliExport, CopiesTheFinishedModelOfARun) {
  const ScratchFolder folder;
  write_model(folder, 1.0f, -2.0f);
  std::filesystem::create_directories(folder / "run");
  std::filesystem::rename(folder / "model", folder / "run/final");

  const Outcome outcome = shell("attune export " + (folder / "run") + " " + (folder / "out"));

  EXPECT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_EQ(read(folder / "out/model.safetensors"), read(folder / "run/final/model.safetensors"));
}

TEST(CliExport, APipelineWithSeveralModelsAsksForOne) {
  const ScratchFolder folder;
  for (const char* stage : {"sft", "dpo"}) {
    std::filesystem::create_directories(folder / "run" + "/" + stage + "/final");
    write(folder / "run" + "/" + stage + "/final/config.json", "{}");
  }

  const Outcome outcome = shell("attune export " + (folder / "run") + " " + (folder / "out"));

  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(has(outcome.text, "has several models; name one stage")) << outcome.text;
  EXPECT_TRUE(has(outcome.text, "run/dpo")) << outcome.text;
}

}  // namespace
}  // namespace attune::testing
