// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/registry.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "plugins/scratch.h"

namespace attune {
namespace {

using namespace attune::testing;
namespace fs = std::filesystem;

Registry over(std::vector<std::string> folders) {
  std::vector<SearchFolder> search;
  for (auto& folder : folders) search.push_back({folder, "--plugin-path", true});
  return Registry(std::move(search));
}

/// The good fixture under another id of the same length, so that no offset moves.
std::string as(const std::string& id) {
  EXPECT_EQ(id.size(), std::string("org.attune.test.good").size());
  return replaced(slurp(fixture("good")), "org.attune.test.good", id);
}

TEST(SearchPath, IsInOrderOfWhoKnowsBest) {
  const auto folders = search_path({.command_line = {"/a"},
                                    .manifest = {"/b"},
                                    .environment = ":/c::/d:",
                                    .data_home = "/home/x/.local/share",
                                    .executable_folder = "/opt/attune/bin"});

  std::string all;
  for (const auto& folder : folders) all += folder.path + (folder.required ? "! " : " ");
  EXPECT_EQ(all, "/a! /b! /c /d /home/x/.local/share/attune/plugins /opt/attune/lib/attune ");
}

TEST(SearchPath, LeavesOutWhatAPrivilegedProcessIsNotTold) {
  EXPECT_EQ(search_path({.command_line = {},
                         .manifest = {},
                         .environment = "",
                         .data_home = "",
                         .executable_folder = "/usr/bin"})
                .size(),
            1u);
}

TEST(Registry, FindsPluginsByNameAndById) {
  const Registry registry = over({fixture_folder("good")});

  EXPECT_EQ(registry.resolve("dataset/1", "good").use(), "org.attune.test.good:good");
  EXPECT_EQ(registry.resolve("dataset/1", "org.attune.test.good:good").plugin->version, "1.0.0");
  EXPECT_EQ(registry.find("org.attune.test.good")->file, fixture("good"));
}

TEST(Registry, IsACatalogueOfFactories) {
  const Registry registry = over({fixture_folder("good")});
  const Catalogue& catalogue = registry;

  const auto providers = catalogue.providers("dataset/1");

  ASSERT_EQ(providers.size(), 1u);
  EXPECT_EQ(providers[0].plugin_id, "org.attune.test.good");
  EXPECT_EQ(providers[0].name, "good");
  EXPECT_EQ(providers[0].options.size(), 2u);
  EXPECT_EQ(providers[0].metadata["concurrent"], true);
  EXPECT_TRUE(catalogue.providers("nothing/1").empty());
}

TEST(Registry, SaysWhatThereIsWhenAPluginIsMissing) {
  const Registry registry = over({fixture_folder("good")});

  try {
    registry.resolve("dataset/1", "goood");
    FAIL();
  } catch (const ExitError& error) {
    EXPECT_EQ(error.exit(), Exit::kPluginMissing);
    EXPECT_HAS(error.what(), "no plugin provides dataset/1 \"goood\"; did you mean \"good\"?");
    EXPECT_HAS(error.what(), "there is: org.attune.test.good:good");
    EXPECT_HAS(error.what(), fixture_folder("good") + " (--plugin-path)");
    EXPECT_HAS(error.what(), "name its folder with --plugin-path");
  }
}

TEST(Registry, SaysWhyTheFileThatWouldFitWasRefused) {
  const Registry registry =
      over({fixture_folder("newer_abi"), fixture_folder("no_note"), fixture_folder("good")});

  const std::string by_note = message_of([&] { registry.resolve("dataset/1", "newer_abi"); });
  const std::string by_file = message_of([&] { registry.resolve("dataset/1", "no_note"); });

  EXPECT_HAS(by_note, "refused:\n    P-04 " + fixture("newer_abi"));
  EXPECT_EQ(by_note.find("no_note.attune.so"), std::string::npos);
  EXPECT_HAS(by_file, "refused:\n    P-02 " + fixture("no_note"));
}

TEST(Registry, ListsTheProvidersOfAnAmbiguousName) {
  const Scratch scratch;
  spill(scratch.path("a.attune.so"), as("org.attune.test.aaaa"));
  spill(scratch.path("b.attune.so"), as("org.attune.test.bbbb"));
  const Registry registry = over({scratch.path()});

  const std::string message = message_of([&] { registry.resolve("dataset/1", "good"); });

  EXPECT_HAS(message,
             "dataset/1 \"good\": expected one provider, found 2: org.attune.test.aaaa:good, "
             "org.attune.test.bbbb:good");
  EXPECT_EQ(registry.resolve("dataset/1", "org.attune.test.bbbb:good").plugin->id,
            "org.attune.test.bbbb");
  EXPECT_HAS(message_of([&] { registry.only("dataset/1"); }), "found 2");
}

TEST(Registry, TakesTheFirstFolderThatHasAPlugin) {
  const Scratch scratch;
  spill(scratch.folder("one") + "/x.attune.so",
        replaced(slurp(fixture("good")), "\"1.0.0\"", "\"1.0.1\""));
  const Registry registry = over({scratch.path("one"), fixture_folder("good")});

  EXPECT_EQ(registry.find("org.attune.test.good")->version, "1.0.1");
}

TEST(Registry, TakesEqualCopiesForOnePlugin) {
  const Scratch scratch;
  fs::copy(fixture("good"), scratch.path("copy.attune.so"));
  const Registry registry = over({scratch.path(), fixture_folder("good")});

  EXPECT_EQ(registry.plugins().size(), 1u);
  EXPECT_EQ(registry.find("org.attune.test.good")->file, scratch.path("copy.attune.so"));
}

TEST(Registry, RefusesTwoFilesOfOneIdAndVersionThatDiffer) {
  const Scratch scratch;
  spill(scratch.path("copy.attune.so"), slurp(fixture("good")) + "x");

  const std::string message = message_of([&] { over({fixture_folder("good"), scratch.path()}); });

  EXPECT_HAS(message, "P-20 ");
  EXPECT_HAS(message, "expected one file of plugin org.attune.test.good 1.0.0, found another one");
  EXPECT_HAS(message, fixture("good"));
  EXPECT_HAS(message, scratch.path("copy.attune.so"));
}

TEST(Registry, ReadsNothingFromAFolderThatAnybodyMayWrite) {
  const Scratch scratch;
  fs::copy(fixture("good"), scratch.path("good.attune.so"));
  fs::permissions(scratch.path(), fs::perms::others_write, fs::perm_options::add);
  const Registry registry = over({scratch.path()});

  EXPECT_TRUE(registry.plugins().empty());
  EXPECT_HAS(message_of([&] { registry.resolve("dataset/1", "good"); }), "P-21 " + scratch.path());
}

TEST(Registry, NamesAFolderThatIsAskedForAndMissing) {
  EXPECT_HAS(message_of([] { over({"/there/is/none"}); }),
             "plugin folder /there/is/none (--plugin-path): expected a folder, found none");
  EXPECT_NO_THROW(Registry({{"/there/is/none", "user data", false}}));
}

TEST(Registry, IgnoresOtherFilesAndSubfolders) {
  const Scratch scratch;
  spill(scratch.path("readme.txt"), "hello");
  spill(scratch.path("lib.so"), "hello");
  fs::copy(fixture("good"), scratch.folder("deeper") + "/good.attune.so");

  const Registry registry = over({scratch.path()});

  EXPECT_TRUE(registry.plugins().empty());
  EXPECT_TRUE(registry.refused().empty());
}

TEST(Registry, FindsAFactoryByTheLongestSuffix) {
  const Registry registry = over({fixture_folder("good")});

  EXPECT_EQ(registry.by_suffix("reader/1", "/data/a.lines.txt").factory->name, "lines");
  const std::string message = message_of([&] { registry.by_suffix("reader/1", "a.csv"); });
  EXPECT_HAS(
      message,
      "no plugin provides reader/1 for the suffix of a.csv; known suffixes: .lines.txt, .txt");
}

TEST(Registry, FindsAModelByItsArchitecture) {
  const Registry registry = over({fixture_folder("good")});

  EXPECT_EQ(registry.by_architecture("model/1", "TinyForVision").factory->name, "tiny");
  EXPECT_HAS(message_of([&] { registry.by_architecture("model/1", "TinyForVisoin"); }),
             "for the architecture \"TinyForVisoin\" (nearest: \"TinyForVision\"); known "
             "architectures: TinyForCausalLM, TinyForVision");
}

TEST(Registry, FindsTheOnlyProviderOfAKind) {
  const Registry registry = over({fixture_folder("good")});

  EXPECT_EQ(registry.only("reader/1").factory->name, "lines");
  EXPECT_HAS(message_of([&] { registry.only("tokenizer/1"); }), "no plugin provides tokenizer/1");
}

TEST(Registry, ListsAHundredPluginsInUnder50Milliseconds) {
  const Scratch scratch;
  for (int i = 0; i < 100; ++i) {
    char id[32];
    std::snprintf(id, sizeof id, "org.attune.test.g%03d", i);
    spill(scratch.path(std::string(id) + ".attune.so"), as(id));
  }
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(over({scratch.path()}).plugins().size(), 100u);
    best = std::min(
        best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
                  .count());
  }
  RecordProperty("milliseconds", std::to_string(best));

  EXPECT_LT(best, 50 * kSlowness);
}

}  // namespace
}  // namespace attune
