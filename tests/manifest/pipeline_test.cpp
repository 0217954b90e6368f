// SPDX-License-Identifier: Apache-2.0
#include "manifest_fixture.h"

namespace attune {
namespace {

const char* const kPipeline = R"(schema = 1
[run]
kind = "pipeline"
name = "quick"
seed = 7
[model]
path = "base"
[optimizer]
learning_rate = 1e-4
[train]
steps = 10
samples_per_step = 4
[algorithm]
use = "dpo"
beta = 0.3
[[data.train]]
use = "pairs"
path = "pairs.jsonl"

[[stage]]
name = "sft"
kind = "train"
algorithm = { use = "sft" }
[[stage.data.train]]
use = "alpaca"
path = "text.jsonl"

[[stage]]
name = "dpo"
kind = "train"
[stage.model]
path = "@sft.final"
[stage.train]
steps = 20
[stage.run]
seed = 9

[[stage]]
name = "after"
kind = "generate"
model = { path = "@dpo.final" }
[stage.generate.data]
use = "alpaca"
path = "prompts.jsonl"

[[stage]]
name = "score"
kind = "evaluate"
model = { path = "@dpo.final" }
[[stage.evaluate]]
use = "exact_match"
data = { use = "alpaca", path = "@after.answers" }
)";

Manifest pipeline(const Folder& folder, const Setting& setting = {}) {
  folder.write("run.toml", kPipeline);
  return load(setting);
}

TEST(Pipeline, StagesAreCompleteRuns) {
  const Folder folder;

  const Json resolved = pipeline(folder).resolved;

  std::vector<std::string> top, train, generate;
  for (const auto& [name, value] : resolved.items()) top.push_back(name);
  for (const auto& [name, value] : resolved["stage"][1].items()) train.push_back(name);
  for (const auto& [name, value] : resolved["stage"][2].items()) generate.push_back(name);
  EXPECT_EQ(top, (std::vector<std::string>{"schema", "run", "plugins", "stage"}));
  EXPECT_EQ(train,
            (std::vector<std::string>{"name", "kind", "run", "model", "reference", "data",
                                      "algorithm", "optimizer", "schedule", "train", "tracker"}));
  EXPECT_EQ(generate, (std::vector<std::string>{"name", "kind", "run", "model", "generate"}));
}

TEST(Pipeline, TablesOfAStageLieOverThoseOfTheTop) {
  const Folder folder;

  const Json stages = pipeline(folder).resolved["stage"];

  EXPECT_EQ(stages[0]["train"]["steps"], 10);
  EXPECT_EQ(stages[1]["train"]["steps"], 20);
  EXPECT_EQ(stages[1]["train"]["samples_per_step"], 4);
  EXPECT_EQ(stages[0]["data"]["train"][0]["use"], "alpaca");
  EXPECT_EQ(stages[1]["data"]["train"][0]["use"], "pairs");
  EXPECT_EQ(stages[0]["model"]["path"], folder.path("base"));
  EXPECT_EQ(stages[1]["model"]["path"], "@sft.final");
}

TEST(Pipeline, OptionsOfAnotherPluginAreNotInherited) {
  const Folder folder;

  const Json stages = pipeline(folder).resolved["stage"];

  EXPECT_EQ(stages[0]["algorithm"], Json::parse(R"({"use": "sft", "options": {}})"));
  EXPECT_EQ(stages[1]["algorithm"]["options"]["beta"], 0.3);
  EXPECT_FALSE(stages[0].contains("reference"));
  EXPECT_TRUE(stages[1].contains("reference"));
}

TEST(Pipeline, StagesHaveTheRunOfThePipelineAndTheirOwnKind) {
  const Folder folder;

  const Json resolved = pipeline(folder).resolved;

  const Json run = resolved["stage"][1]["run"];
  EXPECT_EQ(run["kind"], "train");
  EXPECT_EQ(run["name"], "quick");
  EXPECT_EQ(run["seed"], 9);
  EXPECT_EQ(run["output"], folder.path("runs"));
  EXPECT_EQ(resolved["stage"][2]["run"]["seed"], 7);
  EXPECT_EQ(resolved["run"]["kind"], "pipeline");
}

TEST(Pipeline, SourcesPointAtTheStageOrTheTop) {
  const Folder folder;

  const Manifest manifest = pipeline(folder, {.sets = {"stage[0].train.steps=3"}});

  EXPECT_EQ(manifest.source("stage[0].train.steps")->file, "--set stage[0].train.steps=3");
  EXPECT_EQ(manifest.source("stage[1].train.steps")->line, 34);
  ASSERT_EQ(manifest.source("stage[1].train.steps")->shadowed.size(), 1u);
  EXPECT_EQ(manifest.source("stage[1].train.steps")->shadowed[0].value, Json(10));
  EXPECT_EQ(manifest.source("stage[1].train.samples_per_step")->line, 12);
  EXPECT_EQ(manifest.source("stage[1].run.seed")->line, 36);
  EXPECT_EQ(manifest.source("stage[2].run.seed")->line, 5);
  EXPECT_EQ(manifest.value("stage[1].algorithm.beta"), Json(0.3));
}

}  // namespace
}  // namespace attune
