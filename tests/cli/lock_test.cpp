// SPDX-License-Identifier: Apache-2.0
// Locks, repeats and differences of runs, as an operator meets them.
#include <gtest/gtest.h>

#include "cli/shell.h"
#include "faults/tiny_run.h"

namespace attune::testing {
namespace {

class LockTest : public ::testing::Test {
 protected:
  void SetUp() override { write_tiny_run(folder.path, 2, 2); }
  Outcome attune(const std::string& line, const std::string& before = "true") {
    return shell("cd '" + folder.path.string() + "' && " + before + " && attune " + line);
  }
  void lock() { ASSERT_EQ(attune("lock run.toml").code, 0); }
  /// The words of a refusal by the lock.
  std::string refused(const std::string& more = "", const std::string& before = "true") {
    const Outcome found = attune("check run.toml --locked " + more, before);
    EXPECT_EQ(found.code, 5) << found.text;
    return found.text;
  }

  TemporaryFolder folder;
};

TEST_F(LockTest, HoldsARunToItsBits) {
  lock();

  EXPECT_EQ(attune("check run.toml --locked").code, 0);
  const Outcome run = attune("run run.toml --locked --quiet");
  EXPECT_EQ(run.code, 0) << run.text;
  // What the run wrote is no input of the next one.
  EXPECT_EQ(attune("check run.toml --locked").code, 0);
}

TEST_F(LockTest, NamesAFileWhoseTimesHideTheChange) {
  lock();

  const std::string text = refused("", "cp -p pairs.jsonl old && sed -i s/yes/yea/ pairs.jsonl && touch -r old pairs.jsonl");

  EXPECT_TRUE(has(text, "input pairs.jsonl: SHA-256 ")) << text;
}

TEST_F(LockTest, NamesPluginsValuesAndIncludes) {
  lock();

  EXPECT_TRUE(has(refused("--set train.steps=5"), "value train.steps: 2 in the lock, 5 now"));
  EXPECT_TRUE(has(refused("", "cp run.toml.lock kept && sed -i '/org.attune.columns/,+1s/sha256 = \"./sha256 = \"0/' run.toml.lock"),
                  "plugin org.attune.columns: SHA-256 0"));
  EXPECT_TRUE(has(refused("", "mv kept run.toml.lock && echo '# more' >> run.toml"), "manifest run.toml: SHA-256 "));
}

TEST_F(LockTest, IsAskedForByName) {
  EXPECT_TRUE(has(refused(), "run.toml.lock: expected a lock, found none"));
}

TEST_F(LockTest, IsRequiredWhereTheSiteSaysSo) {
  write_file(folder.path / "site.toml", "[trust]\nrequire = \"locked\"\n");
  const std::string site = "export ATTUNE_SITE=$PWD/site.toml";

  EXPECT_EQ(attune("check run.toml", site).code, 5);
  EXPECT_EQ(attune("lock run.toml", site).code, 0);
  EXPECT_EQ(attune("check run.toml", site).code, 0);
  const Outcome other = attune("tokenize '" ATTUNE_SOURCE_DIR "/configs/tiny/model' --input pairs.jsonl --output -", site);
  EXPECT_EQ(other.code, 5) << other.text;
  EXPECT_TRUE(has(attune("check run.toml", "export ATTUNE_SITE=/there/is/none").text, "/there/is/none"));
}

TEST_F(LockTest, SignedPluginsRunAndUnsignedDoNot) {
  ASSERT_EQ(attune("plugins keygen ours").code, 0);
  const std::string key = shell("tail -1 '" + (folder.path / "ours.pub").string() + "'").text;
  write_file(folder.path / "site.toml", "[trust]\nrequire = \"signed\"\n[[trust.key]]\nname = \"ours\"\nkey = \"" + key.substr(0, 56) + "\"\n");
  const std::string site = "export ATTUNE_SITE=$PWD/site.toml";

  const Outcome before = attune("check run.toml --data", site);

  EXPECT_EQ(before.code, 5);
  EXPECT_TRUE(has(before.text, "T-01")) << before.text;
  EXPECT_EQ(attune("plugins sign --key ours.key pairs.jsonl").code, 0);
  EXPECT_TRUE(has(attune("plugins verify pairs.jsonl", site).text, "signed by ours"));
}

TEST_F(LockTest, ARerunHasTheSameBits) {
  ASSERT_EQ(attune("run run.toml --quiet").code, 0);

  const Outcome again = attune("rerun runs/tiny again --quiet");

  EXPECT_EQ(again.code, 0) << again.text;
  EXPECT_TRUE(has(again.text, "same bits")) << again.text;
  EXPECT_EQ(attune("rerun runs/tiny again --quiet").code, 1);
  const Outcome touched = attune("rerun runs/tiny third --quiet", "sed -i s/yes/yea/ pairs.jsonl");
  EXPECT_EQ(touched.code, 6) << touched.text;
  EXPECT_TRUE(has(touched.text, "pairs.jsonl: has other bytes than then")) << touched.text;
}

TEST_F(LockTest, ARerunNamesTheFilesThatDiffer) {
  ASSERT_EQ(attune("run run.toml --quiet").code, 0);

  const Outcome again = attune("rerun runs/tiny again --quiet --set run.seed=4");

  EXPECT_EQ(again.code, 7);
  EXPECT_TRUE(has(again.text, "differs: final/model.safetensors")) << again.text;
}

TEST_F(LockTest, ADifferenceHasItsSources) {
  const Outcome same = attune("diff run.toml run.toml");
  EXPECT_TRUE(has(same.text, "the same")) << same.text;

  const Outcome found = attune("diff run.toml other.toml", "sed 's/steps = 2/steps = 3/; s/seed = 3/seed = 3/' run.toml > other.toml");

  EXPECT_EQ(found.code, 0) << found.text;
  EXPECT_TRUE(has(found.text, "train.steps\n  a: 2  (")) << found.text;
  EXPECT_TRUE(has(found.text, "other.toml:")) << found.text;
  EXPECT_FALSE(has(found.text, "run.seed")) << found.text;
  ASSERT_EQ(attune("run run.toml --quiet").code, 0);
  EXPECT_TRUE(has(attune("diff runs/tiny other.toml").text, "train.steps\n  a: 2  ("));
}

}  // namespace
}  // namespace attune::testing
