// SPDX-License-Identifier: Apache-2.0
// A run that was cut and resumed ends with the bits of one that was not: for every algorithm, for adapters, for a
// reference that moves. Whatever an algorithm remembers it must declare.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "attune/algorithm.h"
#include "faults/process.h"
#include "kernel/host/manifest/manifest.h"
#include "kernel/host/services/services.h"
#include "laws/subjects.h"

namespace attune::laws {
namespace {

using testing::read_file;
using testing::TemporaryFolder;
using testing::write_file;
namespace fs = std::filesystem;

const Surroundings& surroundings() {
  static const Surroundings found{.executable = std::string(ATTUNE_BIN_DIR) + "/attune"};
  return found;
}

std::ostringstream said;
std::istringstream nothing;
Console console{nothing, said, said};

Installation& installation() {
  static auto& made = *new Installation(surroundings(), console, {});
  return made;
}

/// The host's own services, but metrics are kept here, training ends after a chosen step as if the process had been
/// killed, and another algorithm may stand in.
class LawHost final : public HostServices {
 public:
  explicit LawHost(int64_t killed_after) : killed_after_(killed_after), services_(installation(), console) {}

  std::function<std::unique_ptr<Algorithm>()> algorithm;
  std::map<int64_t, Json> rows;

  Plugin<attune_object> object(std::string_view kind, std::string_view use, const Json& options) override {
    if (!algorithm || kind != "algorithm/1") return services_.object(kind, use, options);
    auto* made = new attune_object{ATTUNE_END(attune_object, destroy), 0, algorithm().release(), nullptr};
    return Plugin<attune_object>(made, [](attune_object* object) {
      delete static_cast<Algorithm*>(object->object);
      delete object;
    });
  }
  void metrics(int64_t step, const Json& row) override {
    rows[step] = row;
    for (const char* of_the_clock : {"seconds", "tokens_per_s", "memory_mb"}) rows[step].erase(of_the_clock);
  }
  void progress(std::string_view phase, int64_t done, int64_t) override {
    if (phase == "train" && done == killed_after_) throw Error("killed by the law");
  }
  Json metadata(std::string_view kind, std::string_view use) override { return services_.metadata(kind, use); }
  std::string model_for(const Json& config) override { return services_.model_for(config); }
  std::string last_failure() override { return services_.last_failure(); }
  std::unique_ptr<Tokenizer> tokenizer(const std::string& folder) override { return services_.tokenizer(folder); }
  std::unique_ptr<Checkpoint> checkpoint(const std::string& path) override { return services_.checkpoint(path); }
  void write_tensors(const std::string& path, std::span<const attune_tensor> tensors, const Json& metadata) override {
    services_.write_tensors(path, tensors, metadata);
  }
  std::unique_ptr<SampleSource> samples(const Json& entry) override { return services_.samples(entry); }
  SampleSources sources(const Json& data, const std::string& split) override { return services_.sources(data, split); }
  void rewind_metrics(int64_t) override {}
  void log(int, std::string_view) override {}
  Json machine() override { return services_.machine(); }

 private:
  int64_t killed_after_;
  Services services_;
};

/// A row that every algorithm of these samples can use.
Json row_of(const Json& algorithm, int i) {
  const Json sample = algorithm.at("sample");
  const std::string shape = sample.is_array() ? sample[0] : sample;
  const size_t answers = algorithm.value("answers", shape == "pair" || shape == "ranking" ? size_t(2) : size_t(1));
  const std::string n = std::to_string(i);
  Json row = {{"prompt", {{{"role", "user"}, {"content", "Say " + n}}}}, {"answers", Json::array()}};
  for (size_t a = 0; a < answers; ++a) {
    Json turn = {{"role", "assistant"}, {"content", std::string(size_t(1 + (i + int(a)) % 4), char('a' + a)) + " " + n}};
    if (shape == "steps") turn["content"] = {{{"type", "text"}, {"text", "First " + n}}, {{"type", "text"}, {"text", ", then " + n}}};
    row["answers"].push_back({{"turns", {turn}}});
  }
  row["labels"] = {{"desirable", i % 3 != 0}, {"class", i % 2}, {"steps", {i % 2, 1}}, {"safe", std::vector<bool>(answers, i % 2 == 0)}};
  return row;
}

/// A run of six steps on the tiny model. `changed` is merged over its manifest.
Json manifest_of(const fs::path& folder, const std::string& algorithm, const Json& changed) {
  const Json metadata = installation().registry().resolve("algorithm/1", algorithm).factory->metadata;
  std::string rows;
  for (int i = 0; i < 20; ++i) rows += row_of(metadata, i).dump() + "\n";
  write_file(folder / "rows.jsonl", rows);
  write_file(folder / "run.toml", R"(schema = 1
[run]
kind = "train"
name = "law"
seed = 5
output = "runs"
threads = 1
[model]
path = ")" ATTUNE_SOURCE_DIR R"(/configs/tiny/model"
init = "random"
[[data.train]]
use = "samples"
path = "rows.jsonl"
[optimizer]
learning_rate = 1e-3
[algorithm]
use = ")" + std::string(metadata.value("reference", false) ? "dpo" : "sft") + R"("
[train]
steps = 6
samples_per_step = 4
checkpoint = { every = 2 }
)");
  Json run = load_manifest((folder / "run.toml").string(), {.catalogue = installation().registry()}).resolved;
  run["algorithm"] = {{"use", algorithm}, {"options", Json::object()}};
  run.merge_patch(changed);
  return run;
}

struct Ended {
  std::map<int64_t, Json> rows;
  std::string weights;
  Json results;
};

class Resumed {
 public:
  std::function<std::unique_ptr<Algorithm>()> algorithm;
  Json changed = Json::object();

  /// Trains in `name`, cut after each step of `cuts`.
  Ended train(const std::string& use, const std::string& name, std::vector<int64_t> cuts, const Json& more = Json::object()) const {
    const fs::path folder = folder_.path / name;
    fs::create_directories(folder);
    Json patch = changed;
    patch.merge_patch(more);
    const Json run = manifest_of(folder, use, patch);
    Ended ended;
    cuts.push_back(0);
    for (const int64_t cut : cuts) {
      LawHost host(cut);
      host.algorithm = algorithm;
      try {
        ended.results = installation().engine().train(run, folder.string(), host);
        EXPECT_EQ(cut, 0);
      } catch (const Error& error) {
        if (std::string(error.what()) != "killed by the law") throw;
      }
      host.rows.merge(ended.rows);
      ended.rows = std::move(host.rows);
    }
    ended.weights = read_file(folder / "final/model.safetensors");
    return ended;
  }
  fs::path path(const std::string& name) const { return folder_.path / name; }

 private:
  TemporaryFolder folder_;
};

void expect_same(const Ended& straight, const Ended& resumed) {
  EXPECT_FALSE(straight.weights.empty());
  EXPECT_TRUE(resumed.weights == straight.weights) << "other weights";
  EXPECT_EQ(resumed.rows, straight.rows);
  for (const char* name : {"loss", "tokens", "steps", "dropped_rows", "skipped_steps"}) EXPECT_EQ(resumed.results.at(name), straight.results.at(name)) << name;
}

class ResumeLaw : public ::testing::TestWithParam<std::string> {};

TEST_P(ResumeLaw, StraightEqualsCutAndResumed) {
  Resumed runs;
  if (AlgorithmUnderLaw(GetParam()).algorithm->needs().divergence.kind != DivergenceKind::kNone) {
    runs.train("sft", "teacher", {});
    runs.changed["reference"] = {{"mode", "live"}, {"path", runs.path("teacher/final").string()}};
  }

  const Ended straight = runs.train(GetParam(), "straight", {});

  expect_same(straight, runs.train(GetParam(), "resumed", {3, 4}));
}

INSTANTIATE_TEST_SUITE_P(Every, ResumeLaw, ::testing::ValuesIn(algorithms()), [](const auto& info) { return info.param; });

class ResumeOf : public ::testing::TestWithParam<std::pair<const char*, Json>> {};

TEST_P(ResumeOf, StraightEqualsCutAndResumed) {
  Resumed runs;
  runs.changed = GetParam().second;
  const std::string use = runs.changed.value("use", "dpo");
  runs.changed.erase("use");

  const Ended straight = runs.train(use, "straight", {});

  expect_same(straight, runs.train(use, "resumed", {1, 3, 5}));
}

Json adapter(const char* use) {
  return {{"adapter", {{"use", use}, {"rank", 4}, {"alpha", 8.0}, {"targets", {"*_proj"}}}}};
}

INSTANTIATE_TEST_SUITE_P(
    Every, ResumeOf,
    ::testing::Values(std::pair("lora", adapter("lora")), std::pair("dora", adapter("dora")),
                      std::pair("moving_reference", Json{{"reference", {{"mode", "live"}, {"sync_every", 2}, {"sync_mixup", 0.5}}}}),
                      std::pair("noise", Json{{"use", "sft"}, {"train", {{"neftune_alpha", 5.0}}}}),
                      std::pair("bfloat16", Json{{"model", {{"dtype", "bfloat16"}}}}),
                      std::pair("tokens_per_step", Json{{"train", {{"samples_per_step", 0}, {"tokens_per_step", 90}}}}),
                      std::pair("split_steps", Json{{"use", "kto"}, {"train", {{"tokens_per_batch", 40}, {"max_length", 40}}}}),
                      std::pair("waiting_for_the_writer", Json{{"train", {{"checkpoint", {{"background", false}}}}}})),
    [](const auto& info) { return info.param.first; });

TEST(Resume, TheIntervalOfCheckpointsChangesNoBit) {
  const Resumed runs;
  const Ended never = runs.train("bco", "never", {}, {{"train", {{"checkpoint", {{"every", 0}}}}}});

  for (const int every : {1, 2, 3, 5}) {
    const std::string name = "every " + std::to_string(every);
    SCOPED_TRACE(name);
    expect_same(never, runs.train("bco", name, {4}, {{"train", {{"checkpoint", {{"every", every}}}}}}));
  }
}

/// Learns less from step to step: what it counts is its state, declared or not.
class Counting : public Algorithm {
 public:
  explicit Counting(bool declares) : declares_(declares) {}
  Needs needs() const override { return {.whole_step = true}; }
  std::string formula() const override { return "counts"; }
  void observe(const Scores&) override { steps_.add_(1); }
  NamedTensors state() override { return declares_ ? NamedTensors{{"steps", steps_}} : NamedTensors(); }
  Loss loss(const Scores& scores) const override {
    return {.numerator = -scores.logprob_U.sum() / (1 + steps_.item<double>()), .unit = Unit::kToken, .metrics = {}};
  }

 private:
  const bool declares_;
  at::Tensor steps_ = at::zeros({}, at::kDouble);
};

TEST(Resume, WhatAnAlgorithmHidesBreaksTheLawAndWhatItDeclaresDoesNot) {
  for (const bool declares : {false, true}) {
    Resumed runs;
    runs.algorithm = [declares] { return std::make_unique<Counting>(declares); };

    const Ended straight = runs.train("sft", "straight", {}), resumed = runs.train("sft", "resumed", {3});

    EXPECT_EQ(straight.weights == resumed.weights, declares);
    EXPECT_EQ(straight.rows.at(2), resumed.rows.at(2));
    EXPECT_EQ(straight.rows.at(3).at("state_hash") == resumed.rows.at(3).at("state_hash"), declares);
  }
}

/// Stumbles at chosen steps, once each: with a loss or with gradients that are not finite.
class Stumbling final : public Algorithm {
 public:
  Stumbling(std::vector<int> steps, bool in_the_loss) : steps_(std::move(steps)), in_the_loss_(in_the_loss) {}
  Needs needs() const override { return {.whole_step = true}; }
  std::string formula() const override { return "stumbles"; }
  void observe(const Scores& scores) override {
    ++calls_;
    seen_.add_(scores.logprob_U.sum().to(at::kDouble));
  }
  NamedTensors state() override { return {{"seen", seen_}}; }
  Loss loss(const Scores& scores) const override {
    at::Tensor loss = -scores.logprob_U.sum();
    if (std::ranges::find(steps_, calls_) == steps_.end()) return {.numerator = loss, .unit = Unit::kToken, .metrics = {}};
    // The square root's slope at zero is infinite, its value is not.
    loss = in_the_loss_ ? loss / 0.0 : loss + (0 * scores.logprob_U).abs().sqrt().sum();
    return {.numerator = loss, .unit = Unit::kToken, .metrics = {}};
  }

 private:
  std::vector<int> steps_;
  bool in_the_loss_;
  int calls_ = 0;
  at::Tensor seen_ = at::zeros({}, at::kDouble);
};

TEST(NotFinite, ASkippedStepChangesNoBitOfWeightsOptimizerAndAlgorithm) {
  for (const bool in_the_loss : {true, false}) {
    Resumed runs;
    runs.algorithm = [=] { return std::make_unique<Stumbling>(std::vector{1, 4}, in_the_loss); };
    const Json skip = {{"train", {{"nonfinite", "skip"}, {"checkpoint", {{"every", 1}, {"keep", 9}}}}}};

    const Ended ended = runs.train("sft", "run", {}, skip);

    const auto state = [&](int step) { return read_file(runs.path("run/checkpoints/step-00000" + std::to_string(step) + "/state.safetensors")); };
    EXPECT_TRUE(state(4) == state(3));
    EXPECT_FALSE(state(3) == state(2));
    EXPECT_FALSE(state(5) == state(4));
    EXPECT_EQ(ended.rows.at(3).at("skipped_steps"), 1);
    EXPECT_EQ(ended.rows.at(4).at("skipped_steps"), 2);
    EXPECT_EQ(ended.rows.at(6).at("skipped_steps"), 2);
    EXPECT_EQ(ended.results.at("skipped_steps"), 2);
  }
}

std::string why(const Resumed& runs, const Json& more) {
  try {
    runs.train("sft", "run", {}, more);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(NotFinite, StopsByDefaultAndGoesOnFromTheCheckpointWhereSkippingIsAllowedLater) {
  const Resumed runs;
  LawHost host(0);
  const fs::path folder = runs.path("run");
  fs::create_directories(folder);
  host.algorithm = [] { return std::make_unique<Stumbling>(std::vector{4}, false); };
  const Json run = manifest_of(folder, "sft", Json::object());
  std::string message;
  try {
    installation().engine().train(run, folder.string(), host);
  } catch (const Error& error) {
    message = error.what();
  }
  EXPECT_NE(message.find("step 4: the gradient is not finite, the weights are unchanged"), std::string::npos) << message;
  EXPECT_NE(message.find("train.nonfinite = \"skip\""), std::string::npos) << message;

  LawHost again(0);
  again.algorithm = [] { return std::make_unique<Stumbling>(std::vector{2}, false); };  // Its second step is the run's fourth.
  const Json results = installation().engine().train(manifest_of(folder, "sft", {{"train", {{"nonfinite", "skip"}}}}), folder.string(), again);

  EXPECT_EQ(results.at("skipped_steps"), 1);
  EXPECT_EQ(again.rows.begin()->first, 3);
}

TEST(NotFinite, NoMoreStepsInARowAreSkippedThanTheLimit) {
  Resumed runs;
  runs.algorithm = [] { return std::make_unique<Stumbling>(std::vector{2, 3, 4}, true); };
  const auto limit = [](int steps) { return Json{{"train", {{"nonfinite", "skip"}, {"nonfinite_limit", steps}, {"checkpoint", {{"every", 0}}}}}}; };

  const std::string message = why(runs, limit(2));
  EXPECT_NE(message.find("step 4: the loss is inf, as in the 2 steps before"), std::string::npos) << message;
  EXPECT_NE(message.find("nonfinite_limit"), std::string::npos) << message;
  EXPECT_EQ(why(runs, limit(3)), "");
}

}  // namespace
}  // namespace attune::laws
