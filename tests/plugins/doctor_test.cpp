// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/doctor.h"

#include <gtest/gtest.h>

#include "plugins/scratch.h"

namespace attune {
namespace {

using namespace attune::testing;

TEST(Doctor, GoesThroughTheSearchPathInOrder) {
  const Examination found = examine(
      {{fixture_folder("good"), "--plugin-path", true}, {"/nowhere/at/all", "user data"}, {fixture_folder("no_note"), "the installation"}});

  const std::string text = examination_text(found);

  EXPECT_FALSE(found.sound());
  const size_t good = text.find("  loads  fixture_good.attune.so: org.attune.test.good 1.0.0, pure, dataset/1 good, ");
  const size_t missing = text.find("/nowhere/at/all (user data)\n  is not there\n"),
               refused = text.find("  refused  no_note.attune.so\n    P-02 ");
  EXPECT_LT(good, missing) << text;
  EXPECT_LT(missing, refused) << text;
  EXPECT_NE(refused, std::string::npos) << text;
}

TEST(Doctor, TellsACopyFromAClash) {
  const Scratch scratch;
  const std::string bytes = slurp(fixture("good"));
  spill(scratch.folder("copy") + "/a.attune.so", bytes);
  spill(scratch.folder("clash") + "/b.attune.so", bytes + "x");
  const SearchFolder first{fixture_folder("good"), "--plugin-path", true};

  const Examination copy = examine({first, {scratch.path("copy"), "user data"}});
  const Examination clash = examine({first, {scratch.path("clash"), "user data"}});

  EXPECT_TRUE(copy.sound());
  EXPECT_HAS(examination_text(copy), "  shadowed  a.attune.so");
  EXPECT_HAS(examination_text(copy), fixture("good") + " comes first\n");
  EXPECT_FALSE(clash.sound());
  EXPECT_HAS(examination_text(clash), "the same version as " + fixture("good") + ", with other bytes; remove one");
}

TEST(Doctor, MissesAFolderThatWasAskedFor) {
  EXPECT_FALSE(examine({{"/nowhere/at/all", "--plugin-path", true}}).sound());
  EXPECT_TRUE(examine({{"/nowhere/at/all", "user data", false}}).sound());
}

TEST(Doctor, TellsTheSameAsJson) {
  const Json json = examination_json(examine({{fixture_folder("newer_abi"), "--plugin-path", true}}));

  EXPECT_EQ(json["sound"], false);
  const Json& file = json["folders"][0]["files"][0];
  EXPECT_EQ(file["verdict"], "refused");
  EXPECT_EQ(file["id"], "org.attune.test.newer_abi");
  EXPECT_EQ(file["refusals"][0]["rule"], "P-04");
}

}  // namespace
}  // namespace attune
