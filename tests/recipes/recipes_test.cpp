// SPDX-License-Identifier: Apache-2.0
// Every recipe under configs/ trains two steps, on a tiny model in the place of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "cli/shell.h"
#include "faults/process.h"
#include "kernel/host/json.h"

namespace attune::testing {
namespace {

const fs::path kConfigs = ATTUNE_SOURCE_DIR "/configs";

std::vector<std::string> recipes() {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(kConfigs / "recipes")) {
    if (entry.path().extension() == ".toml") found.push_back(entry.path().lexically_relative(kConfigs / "recipes").string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

class Recipe : public ::testing::TestWithParam<std::string> {};

TEST_P(Recipe, TrainsTwoStepsOnATinyModel) {
  const TemporaryFolder folder;
  const std::string manifest = (kConfigs / "recipes" / GetParam()).string();

  const bool teacher = read_file(manifest).find("[reference]") != std::string::npos;

  const Outcome outcome = shell("attune run '" + manifest + "' --quiet --set 'model.path=\"" + (kConfigs / "tiny/model").string() +
                                "\"' " + (teacher ? "--set 'reference.path=\"\"' " : "") + "--set 'model.init=\"random\"' --set train.steps=2 --set 'run.output=\"" + folder.path.string() + "\"'");

  ASSERT_EQ(outcome.code, 0) << outcome.text;
  const fs::path run = folder.path / fs::path(GetParam()).stem();
  std::istringstream rows(read_file(run / "metrics.jsonl"));
  std::vector<Json> steps;
  for (std::string line; std::getline(rows, line);) steps.push_back(Json::parse(line));
  ASSERT_EQ(steps.size(), 2u);
  for (const Json& step : steps) {
    EXPECT_TRUE(step.at("loss").is_number());
    EXPECT_GT(step.at("gradient_norm").get<double>(), 0);
  }
  EXPECT_TRUE(fs::exists(run / "final" / "model.safetensors"));
  EXPECT_NE(read_file(run / "record.toml").find("formula = \""), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Every, Recipe, ::testing::ValuesIn(recipes()), [](const auto& info) {
  std::string name = info.param;
  std::ranges::replace_if(name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

/// A column of metrics.jsonl of a recipe on the tiny model, four steps.
std::vector<double> column(const std::string& recipe, const std::string& sets, const std::string& name) {
  const TemporaryFolder folder;
  const Outcome outcome = shell("attune run '" + (kConfigs / "recipes" / recipe).string() + "' --quiet --set 'model.path=\"" +
                                (kConfigs / "tiny/model").string() + "\"' --set 'model.init=\"random\"' --set train.steps=4 " + sets +
                                " --set 'run.output=\"" + folder.path.string() + "\"'");
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  std::istringstream rows(read_file(folder.path / fs::path(recipe).stem() / "metrics.jsonl"));
  std::vector<double> found;
  for (std::string line; std::getline(rows, line);) found.push_back(Json::parse(line).at(name));
  return found;
}

TEST(Recipes, AReferenceThatMovesChangesTheLossOnlyAfterItMoved) {
  const std::string fast = "--set optimizer.learning_rate=1e-3 ";
  const auto still = column("tr_dpo.toml", fast + "--set reference.sync_every=0", "loss"), moving = column("tr_dpo.toml", fast, "loss");

  EXPECT_EQ(still[0], moving[0]);
  EXPECT_EQ(still[1], moving[1]);
  EXPECT_NE(still[2], moving[2]);
}

TEST(Recipes, NoiseChangesTheLossAndIsTheSameEveryTime) {
  const auto noisy = column("neftune.toml", "", "loss");

  EXPECT_EQ(noisy, column("neftune.toml", "", "loss"));
  EXPECT_NE(noisy[0], column("neftune.toml", "--set train.neftune_alpha=0.0", "loss")[0]);
}

TEST(Recipes, MoreIsScoredWhereTheWholeTextIs) {
  EXPECT_GT(column("sft.toml", "--set 'train.scored=\"all\"'", "scored_tokens")[0], column("sft.toml", "", "scored_tokens")[0]);
}

TEST(Recipes, ATeachersLikeliestTokensStandForItsDistribution) {
  const std::string teacher = "--set 'reference.path=\"\"' --set algorithm.lambda=0.5 --set optimizer.learning_rate=1e-2 --set train.shuffle=false ";
  const auto live = column("distill.toml", teacher, "divergence");
  const std::string cached = teacher + "--set 'reference.mode=\"cached\"' --set reference.top_k=";
  const auto all = column("distill.toml", cached + "65536", "divergence"), few = column("distill.toml", cached + "8", "divergence");

  ASSERT_EQ(live.size(), 4u);
  EXPECT_GT(live[3], 1e-4);
  for (size_t step = 0; step < 4; ++step) EXPECT_NEAR(all[step], live[step], 1e-5 + 1e-3 * live[step]) << step;
  EXPECT_LT(few[1], live[1]);
  EXPECT_GT(few[1], 0);
}

TEST(Recipes, AreAllFound) { EXPECT_EQ(recipes().size(), 36u); }

}  // namespace
}  // namespace attune::testing
