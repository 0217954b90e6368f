// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/trust/lock.h"

#include <gtest/gtest.h>

#include "kernel/host/exit.h"

namespace attune {
namespace {

Lock example() {
  Lock lock;
  lock.files = {{"plugin", "org.attune.dpo", std::string(64, 'a')},
                {"input", "data/a.jsonl", std::string(64, 'b')}};
  lock.values = {{"train.steps", 50}, {"data.train[0].path", "data/a.jsonl"}};
  return lock;
}

TEST(Lock, ComesBackAsItWasWritten) {
  const Lock again = parse_lock(lock_text(example()), "run.toml.lock");

  EXPECT_TRUE(differences(example(), again).empty());
  EXPECT_TRUE(differences(again, example()).empty());
}

TEST(Lock, NamesWhatDiffers) {
  Lock now = example();
  now.files[0].sha256 = std::string(64, 'c');
  now.files[0].path = "/plugins/dpo.attune.so";
  now.files[1].name = "data/b.jsonl";
  now.values["train.steps"] = 5;
  now.values["seed"] = 1;

  EXPECT_EQ(differences(example(), now),
            (std::vector<std::string>{
                "input data/a.jsonl: in the lock, not used or not there now",
                "plugin org.attune.dpo: SHA-256 " + std::string(64, 'a') + " in the lock, " +
                    std::string(64, 'c') + " now (/plugins/dpo.attune.so)",
                "input data/b.jsonl: not in the lock ()",
                "value train.steps: 50 in the lock, 5 now",
                "value seed: nothing in the lock, 1 now"}));
}

TEST(Lock, IsRefusedWhereItIsNone) {
  for (const std::string text : {"", "schema = 2\n[[file]]\nrole = \"input\"\nname = \"a\"\nsha256 = \"b\"\n",
                                 "schema = 1\n[[file]]\nrole = \"input\"\nname = \"a\"\nsha256 = \"b\"\n",
                                 "schema = 1\nfile = 3\n", "schema ="}) {
    try {
      parse_lock(text, "run.toml.lock");
      ADD_FAILURE() << text;
    } catch (const ExitError& error) {
      EXPECT_EQ(error.exit(), Exit::kTrust);
      EXPECT_EQ(std::string(error.what()).rfind("run.toml.lock: is no lock: ", 0), 0u) << error.what();
    }
  }
}

}  // namespace
}  // namespace attune
