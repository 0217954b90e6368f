// SPDX-License-Identifier: Apache-2.0
// Includes, variables, --set, and where values come from.
#include "manifest_fixture.h"

namespace attune {
namespace {

TEST(Include, MergesTablesAndReplacesTheRest) {
  const Folder folder;
  folder.write("base.toml", kTrain + "[x-note]\na = 1\n");
  folder.write("sub/run.toml", R"(schema = 1
include = ["../base.toml"]
[train]
steps = 50
checkpoint = { every = 10 }
[[data.train]]
use = "columns"
path = "q.jsonl"
columns = { prompt = "p" }
[x-note]
b = 2
)");
  const PaperCatalogue catalogue;

  const Json resolved = load_manifest("sub/run.toml", {.catalogue = catalogue}).resolved;

  EXPECT_EQ(resolved["train"]["steps"], 50);
  EXPECT_EQ(resolved["train"]["samples_per_step"], 4);
  EXPECT_EQ(resolved["data"]["train"].size(), 1u);
  EXPECT_EQ(resolved["data"]["train"][0]["use"], "columns");
  EXPECT_EQ(resolved["x-note"], Json::parse(R"({"a": 1, "b": 2})"));
}

TEST(Include, PathsStartAtTheFileThatWroteThem) {
  const Folder folder;
  folder.write("deep/base.toml", kTrain);
  folder.write("run.toml", "schema = 1\ninclude = [\"deep/base.toml\"]\n[run]\noutput = \"out\"\n");

  const Json resolved = load().resolved;

  EXPECT_EQ(resolved["model"]["path"], folder.path("deep/m"));
  EXPECT_EQ(resolved["run"]["output"], folder.path("out"));
}

TEST(Include, RemembersWhatWasReplaced) {
  const Folder folder;
  folder.write("grand.toml", "schema = 1\n[train]\nsteps = 1\n");
  folder.write("base.toml", "include = [\"grand.toml\"]\n[train]\nsteps = 10\n");
  folder.write("run.toml", "schema = 1\ninclude = [\"base.toml\"]\n" + kTrain.substr(11));

  const Manifest manifest = load({.sets = {"train.steps=99"}});

  EXPECT_EQ(manifest.value("train.steps"), Json(99));
  const Source* source = manifest.source("train.steps");
  ASSERT_NE(source, nullptr);
  EXPECT_EQ(source->file, "--set train.steps=99");
  EXPECT_EQ(source->line, 0);
  ASSERT_EQ(source->shadowed.size(), 3u);
  const char* files[] = {"grand.toml", "base.toml", "run.toml"};
  const int values[] = {1, 10, 2}, lines[] = {3, 3, 16};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(source->shadowed[i].file, files[i]);
    EXPECT_EQ(source->shadowed[i].value, Json(values[i]));
    EXPECT_EQ(source->shadowed[i].line, lines[i]);
  }
  EXPECT_EQ(manifest.files,
            (std::vector<std::string>{folder.path("run.toml"), folder.path("base.toml"),
                                      folder.path("grand.toml")}));
}

TEST(Include, ReportsMistakesInTheFileThatMadeThem) {
  const Folder folder;
  folder.write("deep/base.toml", kTrain + "[schedule]\nuse = 3\n");
  folder.write("run.toml", "schema = 1\ninclude = [\"deep/base.toml\"]\n[train]\nstep = 3\n");

  try {
    load();
    FAIL();
  } catch (const ManifestError& error) {
    ASSERT_EQ(error.diagnostics().size(), 2u);
    EXPECT_EQ(error.diagnostics()[0].file, "run.toml");
    EXPECT_EQ(error.diagnostics()[0].line, 4);
    EXPECT_EQ(error.diagnostics()[1].file, "deep/base.toml");
    EXPECT_EQ(error.diagnostics()[1].line, 18);
  }
}

TEST(Include, RefusesACircleAndTooDeepNests) {
  const Folder folder;
  folder.write("run.toml", "schema = 1\ninclude = [\"b.toml\"]\n");
  folder.write("b.toml", "include = [\"run.toml\"]\n");
  const auto what = [] {
    try {
      load();
    } catch (const ManifestError& error) {
      return error.diagnostics()[0].message + "; " + error.diagnostics()[0].label;
    }
    return std::string();
  };
  EXPECT_EQ(what(), "`run.toml` includes itself; run.toml -> b.toml -> run.toml");

  folder.write("run.toml", "schema = 1\ninclude = [\"1.toml\"]\n");
  for (int i = 1; i <= 9; ++i) {
    folder.write(std::to_string(i) + ".toml",
                 "include = [\"" + std::to_string(i + 1) + ".toml\"]\n");
  }
  EXPECT_EQ(what(), "includes are nested too deep; at most 8 levels");
}

TEST(Env, ReplacesDeclaredVariables) {
  const Folder folder;
  folder.write("run.toml", train_with("[model]", R"([env]
HUB = { default = "/hub" }
SIZE = { }
EMPTY = { required = false }
[model]
path = "${HUB}/${SIZE}${EMPTY}"
freeze = ["$$x", "a$", "$"]
)"));

  const Json model = load({.environment = {{"SIZE", "135M"}}}).resolved["model"];

  EXPECT_EQ(model["path"], "/hub/135M");
  EXPECT_EQ(model["freeze"], Json::array({"$x", "a$", "$"}));
}

TEST(Env, TheEnvironmentComesBeforeTheDefault) {
  const Folder folder;
  folder.write(
      "run.toml",
      train_with("[model]", "[env.HUB]\ndefault = \"/hub\"\n[model]\npath = \"${HUB}/m\"\n"));

  EXPECT_EQ(load({.environment = {{"HUB", "/mine"}}}).resolved["model"]["path"], "/mine/m");
}

TEST(Secret, IsInTheResolvedRunAndNowhereElse) {
  const Folder folder;
  folder.write("run.toml", train_with("[model]", R"([env.TOKEN]
secret = true
[model]
path = "/m/${TOKEN}"
[[tracker]]
use = "web"
token = "literal"
)"));

  const Manifest manifest = load({.environment = {{"TOKEN", "hunter2"}}});

  EXPECT_EQ(manifest.resolved["model"]["path"], "/m/hunter2");
  EXPECT_EQ(manifest.resolved["tracker"][0]["options"]["token"], "literal");
  const std::string redacted = manifest.redacted().dump();
  EXPECT_EQ(redacted.find("hunter2"), redacted.npos);
  EXPECT_EQ(redacted.find("literal"), redacted.npos);
  EXPECT_EQ(manifest.value("model.path"), Json("***"));
  EXPECT_EQ(manifest.value("tracker[0].token"), Json("***"));
}

TEST(Secret, ReplacedValuesStayHiddenToo) {
  const Folder folder;
  folder.write("run.toml", kTrain + "[[tracker]]\nuse = \"web\"\ntoken = \"old\"\n");

  const Manifest manifest = load({.sets = {"tracker[0].token=\"new\""}});

  ASSERT_EQ(manifest.source("tracker[0].token")->shadowed.size(), 1u);
  EXPECT_EQ(manifest.source("tracker[0].token")->shadowed[0].value, Json("***"));
}

TEST(Secret, HidesThePathsMadeOfASecretFolder) {
  const Folder folder;
  folder.write("run.toml", R"(schema = 1
[env.TOKEN]
secret = true
[run]
output = "/${TOKEN}"
)" + kTrain.substr(17));

  const std::string redacted = load({.environment = {{"TOKEN", "hunter2"}}}).redacted().dump();

  EXPECT_EQ(redacted.find("hunter2"), redacted.npos);
}

TEST(Set, ReachesTablesListsAndOptions) {
  const Folder folder;
  folder.write("run.toml", kTrain);

  const Json resolved = load({.sets = {"train.steps=50", "data.train[0].path=\"x.jsonl\"",
                                       "algorithm.beta = 1", "train.checkpoint={every=7}",
                                       "schedule.use='cosine'", "train.checkpoint.keep=3"}})
                            .resolved;

  EXPECT_EQ(resolved["train"]["steps"], 50);
  EXPECT_EQ(resolved["data"]["train"][0]["path"], folder.path("x.jsonl"));
  EXPECT_EQ(resolved["algorithm"]["options"]["beta"].dump(), "1.0");
  EXPECT_EQ(resolved["train"]["checkpoint"], Json::parse(R"({"every": 7, "keep": 3, "keep_every": 0, "keep_best": 0, "best": "", "best_is": "lowest", "background": true})"));
  EXPECT_EQ(resolved["schedule"]["use"], "cosine");
}

TEST(Explain, FindsOptionsBesideUseAndUnderOptions) {
  const Folder folder;
  folder.write("run.toml", train_with("[algorithm]", "[algorithm]\nuse = \"dpo\"\nbeta = 0.5\n"));

  const Manifest manifest = load();

  for (const char* path : {"algorithm.beta", "algorithm.options.beta"}) {
    EXPECT_EQ(manifest.value(path), Json(0.5)) << path;
    ASSERT_NE(manifest.source(path), nullptr) << path;
    EXPECT_EQ(manifest.source(path)->line, 12) << path;
    EXPECT_EQ(manifest.source(path)->column, 8) << path;
  }
  EXPECT_EQ(manifest.source("algorithm.label_smoothing")->file, "default");
  EXPECT_EQ(manifest.value("data.train[0].use"), Json("pairs"));
  EXPECT_EQ(manifest.value("data.train[1].use"), std::nullopt);
  EXPECT_EQ(manifest.value("data.train[x"), std::nullopt);
  EXPECT_EQ(manifest.value("nothing.here"), std::nullopt);
}

TEST(PluginPaths, AreKnownBeforeThereIsACatalogue) {
  const Folder folder;
  folder.write("run.toml",
               "schema = 1\n[plugins]\npath = [\"mine\", \"${HUB}/x\"]\n[env.HUB]\n[wrong]\n");

  const auto paths =
      manifest_plugin_paths("run.toml", {}, [](const std::string&) { return "/hub"; });

  EXPECT_EQ(paths, (std::vector<std::string>{folder.path("mine"), "/hub/x"}));
}

}  // namespace
}  // namespace attune
