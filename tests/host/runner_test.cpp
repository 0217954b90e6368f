// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/runner.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include "host/fakes.h"
#include "host/scratch_folder.h"

namespace attune::testing {
namespace {

Json run_table(const std::string& kind, const ScratchFolder& folder) {
  return {{"kind", kind},           {"name", "demo"},  {"seed", 1},
          {"output", folder.str()}, {"device", "cpu"}, {"threads", 1}};
}

Json train_stage(const std::string& name, const std::string& model, const ScratchFolder& folder) {
  return {{"name", name},
          {"kind", "train"},
          {"run", run_table("train", folder)},
          {"model", {{"path", model}}},
          {"train", {{"steps", 3}}}};
}

Json evaluate_stage(const std::string& name, const std::string& model,
                    const ScratchFolder& folder) {
  const Json entry = {{"use", "equal"}, {"name", "equal"}, {"data", Json::object()}};
  return {{"name", name},
          {"kind", "evaluate"},
          {"run", run_table("evaluate", folder)},
          {"model", {{"path", model}}},
          {"evaluate", Json::array({entry})}};
}

/// model -> before; model -> sft -> dpo -> after.
Json pipeline(const ScratchFolder& folder) {
  const std::string model = folder / "model";
  return {{"schema", 1},
          {"run", run_table("pipeline", folder)},
          {"stage",
           Json::array({evaluate_stage("before", model, folder), train_stage("sft", model, folder),
                        train_stage("dpo", "@sft.final", folder),
                        evaluate_stage("after", "@dpo.final", folder)})}};
}

class RunnerTest : public ::testing::Test {
 protected:
  RunnerTest() { write(folder / "model", "weights"); }

  RunEnvironment environment() {
    return {.engine = [this]() -> Engine& { return engine; },
            .services =
                [](const Json&, const std::string&) {
                  auto services = std::make_unique<FakeServices>();
                  services->rows = {{"a", "A"}, {"b", "B"}};
                  return services;
                },
            .software = [this](const Json&) { return software; },
            .console = console.console,
            .command_line = "attune run demo.toml"};
  }
  std::vector<StageOutcome> run(const Json& resolved) {
    return run_manifest({resolved, resolved}, environment());
  }

  ScratchFolder folder;
  FakeEngine engine;
  FakeConsole console;
  Json software = {{"attune", "1"}};
};

TEST_F(RunnerTest, StagesRunInOrderAndUseEarlierOutputs) {
  const auto outcomes = run(pipeline(folder));

  ASSERT_EQ(outcomes.size(), 4u);
  EXPECT_EQ(outcomes[2].name, "dpo");
  EXPECT_EQ(engine.trained, 2);
  const std::vector<Json> runs = stage_runs(pipeline(folder));
  EXPECT_EQ(runs[2]["model"]["path"], folder / "demo/sft/final");
  EXPECT_EQ(runs[3]["model"]["path"], folder / "demo/dpo/final");
  EXPECT_TRUE(std::filesystem::exists(folder / "demo/after/results.json"));
}

TEST_F(RunnerTest, AFinishedPipelineIsNotRunAgain) {
  run(pipeline(folder));
  engine = FakeEngine();

  const auto outcomes = run(pipeline(folder));

  EXPECT_EQ(engine.trained + engine.opened, 0);
  for (const StageOutcome& stage : outcomes) EXPECT_TRUE(stage.skipped) << stage.name;
  EXPECT_DOUBLE_EQ(outcomes[1].results["loss"], 0.5);
  EXPECT_NE(console.err.str().find("sft: skipped, unchanged"), std::string::npos)
      << console.err.str();
}

TEST_F(RunnerTest, AChangedStageAndThoseAfterItRunAgain) {
  run(pipeline(folder));
  engine = FakeEngine();
  Json changed = pipeline(folder);
  changed["stage"][2]["train"]["steps"] = 4;

  const auto outcomes = run(changed);

  EXPECT_EQ(engine.trained, 1);
  EXPECT_TRUE(outcomes[0].skipped);
  EXPECT_TRUE(outcomes[1].skipped);
  EXPECT_FALSE(outcomes[2].skipped);
  EXPECT_FALSE(outcomes[3].skipped);
  EXPECT_NE(console.err.str().find("dpo: begins anew, changed: the manifest"), std::string::npos)
      << console.err.str();
}

TEST_F(RunnerTest, AChangedInputFileRunsItsStagesAgain) {
  run(pipeline(folder));
  engine = FakeEngine();
  write(folder / "model", "other weights");

  run(pipeline(folder));

  // sft trains anew and comes to the same weights, so dpo stays as it is.
  EXPECT_EQ(engine.trained, 1);
  EXPECT_EQ(engine.opened, 1);
}

TEST_F(RunnerTest, ChangedSoftwareRunsEverythingAgain) {
  run(pipeline(folder));
  engine = FakeEngine();
  software["attune"] = "2";

  run(pipeline(folder));

  EXPECT_EQ(engine.trained, 2);
}

TEST_F(RunnerTest, AnInterruptedPipelineGoesOnAtTheUnfinishedStage) {
  engine.fail_in = "dpo";
  EXPECT_THROW(run(pipeline(folder)), Error);
  engine = FakeEngine();

  const auto outcomes = run(pipeline(folder));

  EXPECT_EQ(engine.trained, 1);
  EXPECT_TRUE(outcomes[1].skipped);
  EXPECT_NE(console.err.str().find("dpo: goes on in"), std::string::npos) << console.err.str();
}

TEST_F(RunnerTest, ALostOutputIsMadeAgain) {
  run(pipeline(folder));
  engine = FakeEngine();
  std::filesystem::remove_all(folder / "demo/dpo/final");

  run(pipeline(folder));

  EXPECT_EQ(engine.trained, 1);
}

TEST_F(RunnerTest, ALoneRunNeverReplacesAnother) {
  Json lone = train_stage("demo", folder / "model", folder);
  run(lone);
  lone["train"]["steps"] = 9;

  try {
    run(lone);
    FAIL() << "expected an error";
  } catch (const ExitError& error) {
    EXPECT_EQ(error.exit(), Exit::kManifest);
    EXPECT_NE(std::string(error.what()).find("holds another run (what differs: the manifest)"),
              std::string::npos)
        << error.what();
  }
  EXPECT_TRUE(std::filesystem::exists(folder / "demo/final/weights"));
}

TEST_F(RunnerTest, AReferenceToALaterStageIsAnErrorThatListsTheEarlierOnes) {
  Json wrong = pipeline(folder);
  wrong["stage"][2]["model"]["path"] = "@after.final";

  try {
    stage_runs(wrong);
    FAIL() << "expected an error";
  } catch (const ExitError& error) {
    EXPECT_NE(std::string(error.what()).find("before, sft"), std::string::npos) << error.what();
  }
}

TEST_F(RunnerTest, TheRecordSaysWhatRanAndHidesSecrets) {
  Json lone = train_stage("demo", folder / "model", folder);
  Json redacted = lone;
  lone["train"]["token"] = "s3cret";
  redacted["train"]["token"] = "***";

  run_manifest({lone, redacted}, environment());

  const std::string record = read(folder / "demo/record.toml");
  for (const char* part : {"command_line = \"attune run demo.toml\"", "[hardware]",
                           "cores = ", "[software]\nattune = \"1\"",
                           "[results]\nsteps = 3\nloss = 0.5", "token = \"***\"", "seed = 1"}) {
    EXPECT_NE(record.find(part), std::string::npos) << part << "\n" << record;
  }
  EXPECT_EQ(record.find("s3cret"), std::string::npos);
  EXPECT_EQ(read(folder / "demo/manifest.toml").find("s3cret"), std::string::npos);
}

TEST_F(RunnerTest, ASecondProcessIsKeptOut) {
  std::filesystem::create_directories(folder / "demo");
  const int held = ::open((folder / "demo/.lock").c_str(), O_RDWR | O_CREAT, 0644);
  ASSERT_EQ(::flock(held, LOCK_EX | LOCK_NB), 0);

  EXPECT_THROW(run(train_stage("demo", folder / "model", folder)), ExitError);

  ::close(held);
}

}  // namespace
}  // namespace attune::testing
