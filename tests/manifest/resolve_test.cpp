// SPDX-License-Identifier: Apache-2.0
#include <chrono>

#include "manifest_fixture.h"

namespace attune {
namespace {

TEST(Manifest, FillsInEveryDefault) {
  const Folder folder;
  folder.write("run.toml", kTrain);

  const Manifest manifest = load();

  const Json expected = Json::parse(R"({
    "schema": 1,
    "run": {"kind": "train", "name": "a", "seed": 0, "output": "HERE/runs", "device": "cpu", "threads": 0},
    "plugins": {"path": []},
    "model": {"use": "", "path": "HERE/m", "dtype": "float32", "init": "checkpoint", "tokenizer": "",
              "freeze": [], "new_parameters": [], "options": {}},
    "reference": {"mode": "cached", "top_k": 0, "sync_every": 0, "sync_mixup": 0.6, "path": "", "cache": "HERE/runs/cache/reference"},
    "data": {"train": [{"use": "pairs", "path": "HERE/p.jsonl", "weight": 0.0,
                        "stream": false, "limit": 0, "max_dropped": 0.0, "options": {}}],
             "mix": "samples", "duplicates": "keep", "heldout": [], "ngram": 13,
             "contaminated": "refuse", "eval": []},
    "algorithm": {"use": "dpo", "options": {"beta": 0.1, "label_smoothing": 0.0}},
    "optimizer": {"use": "adamw", "learning_rate": 1e-5, "betas": [0.9, 0.999], "eps": 1e-8,
                  "weight_decay": 0.0, "in_backward": false, "states": "float32"},
    "schedule": {"use": "constant", "warmup_steps": 0},
    "train": {"steps": 2, "epochs": 0.0, "tokens": 0, "samples_per_step": 4, "tokens_per_step": 0,
              "tokens_per_batch": 8192, "activation_checkpointing": false, "max_length": 1024, "truncation": "end",
              "scored": "assistant", "neftune_alpha": 0.0, "clip": 1.0, "nonfinite": "stop",
              "nonfinite_limit": 10, "share_prompt": true, "shuffle": true,
              "checkpoint": {"every": 0, "keep": 2, "keep_every": 0, "keep_best": 0, "best": "", "best_is": "lowest",
                             "background": true}, "evaluate": {"every": 0}},
    "tracker": []
  })");
  std::string text = expected.dump(1);
  for (size_t at; (at = text.find("HERE")) != text.npos;)
    text.replace(at, 4, folder.path(""), 0, folder.path("").size() - 1);
  EXPECT_EQ(manifest.resolved.dump(1), text);
}

TEST(Manifest, ResolvesGeneration) {
  const Folder folder;
  folder.write("run.toml", R"(schema = 1
run = { kind = "generate", name = "ask" }
model = { path = "/m", use = "llama", window = 64 }
[generate]
temperature = 1
stop = ["\n"]
data = { use = "alpaca", path = "p.jsonl", system = "Be brief.", template = "t.txt" }
)");

  const Json resolved = load().resolved;

  EXPECT_EQ(resolved["model"]["options"], Json::parse(R"({"window": 64})"));
  EXPECT_EQ(resolved["generate"]["temperature"].dump(), "1.0");
  EXPECT_EQ(resolved["generate"]["data"]["options"]["template"], folder.path("t.txt"));
  EXPECT_EQ(resolved["generate"]["top_p"].dump(), "1.0");
  EXPECT_FALSE(resolved.contains("train"));
  EXPECT_FALSE(resolved.contains("schedule"));
}

TEST(Manifest, NamesEvaluationsAfterTheirPlugin) {
  const Folder folder;
  folder.write("run.toml", R"(schema = 1
run = { kind = "evaluate", name = "judge" }
model = { path = "m" }
[[evaluate]]
use = "org.paper.exact:exact_match"
ignore = ["case"]
data = { use = "alpaca", path = "p" }
[[evaluate]]
use = "exact_match"
name = "strict"
data = { use = "alpaca", path = "p" }
)");

  const Json resolved = load().resolved;

  EXPECT_EQ(resolved["evaluate"][0]["name"], "exact_match");
  EXPECT_EQ(resolved["evaluate"][0]["use"], "org.paper.exact:exact_match");
  EXPECT_EQ(resolved["evaluate"][0]["options"]["ignore"], Json::array({"case"}));
  EXPECT_EQ(resolved["evaluate"][1]["name"], "strict");
}

TEST(Manifest, LeavesOutTheReferenceThatAnAlgorithmDoesNotRead) {
  const Folder folder;
  folder.write("run.toml", train_with("[algorithm]", "[algorithm]\nuse = \"sft\"\n"));

  const Json resolved =
      load({.sets = {"data.train[0].use=\"columns\"", "data.train[0].columns={prompt=\"q\"}"}})
          .resolved;

  EXPECT_FALSE(resolved.contains("reference"));
  EXPECT_EQ(resolved["data"]["train"][0]["options"]["columns"]["prompt"], "q");
}

TEST(Manifest, TheConfigurationOfAModelIsTheEnginesToGive) {
  const std::string model = "[model]\nuse = \"llama\"\npath = \"m\"\n";

  EXPECT_EQ(messages(train_with("[model]", model)), "");
  EXPECT_NE(messages(train_with("[model]", model + "config = {}\n")), "");
}

TEST(Manifest, KeepsTablesOfOthers) {
  const Folder folder;
  folder.write("run.toml", kTrain + "[x-notes]\nwho = \"me\"\nn = [1, { a = 2 }]\n");

  EXPECT_EQ(load().resolved["x-notes"], Json::parse(R"({"who": "me", "n": [1, {"a": 2}]})"));
}

TEST(Manifest, DoesNotExpandTheTilde) {
  const Folder folder;
  folder.write("run.toml", train_with("[model]", "[model]\npath = \"~/m\"\n"));

  EXPECT_EQ(load().resolved["model"]["path"], folder.path("~/m"));
}

TEST(Manifest, ReportsEveryMistakeInTheOrderOfTheFile) {
  const std::string text = messages(R"(schema = 1
[run]
kind = "train"
name = "a"
devise = "cpu"
[train]
steps = "two"
samples_per_step = 4
[optimizer]
learning_rate = -1.0
[algorithm]
use = "ppo"
[model]
dtype = "float16"
)");

  std::vector<std::string> heads;
  for (const std::string& line : manifest::split_lines(text)) {
    if (line.starts_with("error: ") || line.find("-->") != line.npos) heads.push_back(line);
  }
  EXPECT_EQ(heads, (std::vector<std::string>{
                       "error: [[data.train]] is missing",
                       " --> run.toml:3:8",
                       "error: unknown key `devise`",
                       " --> run.toml:5:1",
                       "error: `steps` takes an integer",
                       " --> run.toml:7:9",
                       "error: `learning_rate` is out of range",
                       "  --> run.toml:10:17",
                       "error: no plugin provides the algorithm `ppo`",
                       "  --> run.toml:12:7",
                       "error: `path` is missing",
                       "  --> run.toml:13:2",
                       "error: `dtype` cannot be `float16`",
                       "  --> run.toml:14:9",
                   }));
}

Exit exit_of(const std::string& text) {
  const Folder folder;
  folder.write("run.toml", text);
  try {
    load();
  } catch (const ManifestError& error) {
    return error.exit();
  }
  return Exit::kOk;
}

TEST(Manifest, TellsAMissingPluginFromAMistake) {
  EXPECT_EQ(exit_of(kTrain), Exit::kOk);
  EXPECT_EQ(exit_of(train_with("[algorithm]", "[algorithm]\nuse = \"ppo\"\n")),
            Exit::kPluginMissing);
  EXPECT_EQ(exit_of(train_with("[algorithm]", "[algorithm]\nuse = \"ppo\"\n[generate]\n")),
            Exit::kManifest);
}

TEST(Manifest, SaysWhatCannotBeRead) {
  const Folder folder;
  folder.write("folder/inner", "");
  const PaperCatalogue catalogue;

  const auto what = [&](const std::string& path) -> std::string {
    try {
      load_manifest(path, {.catalogue = catalogue});
    } catch (const ManifestError& error) {
      return error.what();
    }
    return "";
  };

  EXPECT_EQ(what("none.toml"),
            "error: cannot read the manifest\n --> none.toml\n  = help: no such file, or no right "
            "to read it");
  EXPECT_EQ(what("folder"),
            "error: cannot read the manifest\n --> folder\n  = help: this is a folder");
}

TEST(Manifest, IsReadInUnderTenMilliseconds) {
  const Folder folder;
  folder.write("base.toml", kTrain);
  folder.write("run.toml", "schema = 1\ninclude = [\"base.toml\"]\n[train]\nsteps = 5\n");
  load();

  const auto start = std::chrono::steady_clock::now();
  constexpr int kTimes = 5;
  for (int i = 0; i < kTimes; ++i) load();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;

  RecordProperty("ms", std::to_string(took.count() / kTimes));
  EXPECT_LT(took.count() / kTimes, 10.0);
}

}  // namespace
}  // namespace attune
