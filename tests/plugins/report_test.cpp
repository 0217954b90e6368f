// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/report.h"

#include <gtest/gtest.h>

#include "plugins/scratch.h"

namespace attune {
namespace {

using namespace attune::testing;

Registry over(const std::vector<std::string>& names) {
  std::vector<SearchFolder> folders;
  for (const auto& name : names) folders.push_back({fixture_folder(name), "--plugin-path", true});
  return Registry(std::move(folders));
}

TEST(Report, ListsFactoriesInATable) {
  const std::string text = list_text(over({"good"}));

  EXPECT_EQ(text,
            "KIND       NAME   PLUGIN                VERSION  TIER  SUMMARY\n"
            "dataset/1  good   org.attune.test.good  1.0.0    pure  Makes a question of one field "
            "of a record\n"
            "model/1    tiny   org.attune.test.good  1.0.0    pure  Declares architectures\n"
            "reader/1   lines  org.attune.test.good  1.0.0    pure  Declares suffixes\n");
}

TEST(Report, ListsRefusedFilesWithTheirReasons) {
  EXPECT_HAS(list_text(over({"good", "newer_abi"})), "\nrefused:\nP-04 " + fixture("newer_abi"));
  EXPECT_HAS(list_text(over({})), "no plugins");
}

TEST(Report, ListsTheSameAsJson) {
  const Json json = list_json(over({"good", "newer_abi"}));

  EXPECT_EQ(json["plugins"].size(), 3u);
  EXPECT_EQ(json["plugins"][0]["name"], "good");
  EXPECT_EQ(json["refused"][0]["rule"], "P-04");
  EXPECT_EQ(json["folders"][0]["path"], fixture_folder("good"));
}

TEST(Report, InspectsAPluginByIdFileOrName) {
  const Registry registry = over({"good"});

  for (const std::string& target :
       {std::string("org.attune.test.good"), fixture("good"), std::string("tiny"),
        std::string("org.attune.test.good:good")}) {
    EXPECT_EQ(inspect(registry, target).file, fixture("good")) << target;
  }
  EXPECT_HAS(message_of([&] { inspect(registry, "org.attune.test.godo"); }),
             "did you mean \"org.attune.test.good\"?");
}

TEST(Report, TellsAllOfAGoodPlugin) {
  const std::string text = inspect_text(inspect(over({"good"}), "org.attune.test.good"));

  for (const char* part :
       {"org.attune.test.good 1.0.0: A dataset in C\n",
        "tier          pure: needs no library and no symbol of LibTorch\n", "sha256        ",
        "abi           0.1 (this host has 0.1)\n", "exports       attune_plugin_v1\n",
        "dataset/1 \"good\"", "  concurrent = true\n", "repeat", "Field of the record",
        "\nThis host would load it.\n"}) {
    EXPECT_HAS(text, part);
  }
}

TEST(Report, SaysWhyThisHostWouldNotLoadAPlugin) {
  const Registry registry = over({"good", "wrong_fingerprint"});

  const std::string by_id = inspect_text(inspect(registry, "org.attune.test.wrong_fingerprint"));
  const std::string by_file = inspect_text(inspect(registry, fixture("no_note")));

  EXPECT_HAS(by_id, "This host would not load it:\nP-06 ");
  EXPECT_HAS(by_id, "differs from this host's: cxx11abi: 1 here, 0 in the plugin; torch:");
  EXPECT_HAS(by_file, "This host would not load it:\nP-02 ");
  EXPECT_HAS(by_file, "exports       attune_plugin_v1\n");
}

TEST(Report, InspectsAFileThatIsNoLibrary) {
  const Scratch scratch;
  spill(scratch.path("x.attune.so"), "no library");

  const Inspection found = inspect(over({}), scratch.path("x.attune.so"));

  EXPECT_FALSE(found.info);
  EXPECT_FALSE(found.facts);
  EXPECT_HAS(inspect_text(found), "P-02 ");
}

TEST(Report, InspectsAsJson) {
  const Json json = inspect_json(inspect(over({"good"}), "org.attune.test.good"));

  EXPECT_EQ(json["id"], "org.attune.test.good");
  EXPECT_EQ(json["loadable"], true);
  EXPECT_EQ(json["exports"], Json::parse("[\"attune_plugin_v1\"]"));
  EXPECT_EQ(json["provides"][0]["options"][0]["name"], "field");
  EXPECT_EQ(json["provides"][0]["options"][0]["default"], "text");
  EXPECT_EQ(json["provides"][0]["concurrent"], true);
  EXPECT_EQ(json["provides"][2]["architectures"][0], "TinyForCausalLM");

  const Json bad = inspect_json(inspect(over({}), fixture("two_exports")));
  EXPECT_EQ(bad["loadable"], false);
  EXPECT_EQ(bad["refusals"][0]["rule"], "P-01");
}

}  // namespace
}  // namespace attune
