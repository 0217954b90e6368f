// SPDX-License-Identifier: Apache-2.0
// What is loaded is what was checked, whatever becomes of the file in between.
#include "kernel/host/plugins/sealed_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "kernel/host/plugins/bundled.h"
#include "kernel/host/plugins/loader.h"
#include "plugins/scratch.h"

namespace attune {
namespace {

namespace fs = std::filesystem;
using namespace attune::testing;

struct Over {
  explicit Over(const std::string& folder, Gate gate = {})
      : registry({{folder, "--plugin-path", true}}),
        loader(registry, fixture_folder("engine") + "/libengine.so", [](auto, int, auto) {}, gate) {}
  Registry registry;
  Loader loader;
};

TEST(SealedFile, KeepsItsBytesWhenTheFileChanges) {
  const Scratch scratch;
  spill(scratch.path("file"), "before");
  const SealedFile file(scratch.path("file"));
  spill(scratch.path("file"), "after, and longer");

  EXPECT_EQ(std::string(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()),
            "before");
  EXPECT_EQ(slurp(file.loadable()), "before");
}

TEST(SealedFile, CanBeWrittenByNobody) {
  const Scratch scratch;
  spill(scratch.path("file"), "before");
  const SealedFile file(scratch.path("file"));

  const int writer = open(file.loadable().c_str(), O_RDWR);
  EXPECT_TRUE(writer < 0 || write(writer, "x", 1) < 0);
  EXPECT_TRUE(writer < 0 || ftruncate(writer, 0) < 0);
  if (writer >= 0) close(writer);
}

TEST(SealedFile, TakesRegularFilesAlone) {
  const Scratch scratch;
  ASSERT_EQ(mkfifo(scratch.path("pipe").c_str(), 0600), 0);

  EXPECT_HAS(message_of([&] { SealedFile(scratch.path("pipe")); }), "expected a regular file");
  EXPECT_HAS(message_of([] { SealedFile("/tmp"); }), "expected a regular file");
  EXPECT_HAS(message_of([] { SealedFile("/there/is/none"); }), "cannot open");
}

TEST(Loader, MapsTheBytesThatItChecked) {
  const Scratch scratch;
  fs::copy(fixture("good"), scratch.path("good.attune.so"));
  Over over(scratch.path());
  const Provider provider = over.registry.resolve("dataset/1", "good");
  over.loader.prove({&provider, 1});

  spill(scratch.path("good.attune.so"), "not a library any more");

  EXPECT_NO_THROW(over.loader.make<attune_dataset>(provider));
}

TEST(Loader, RefusesAFileThatWasSwappedSinceItWasListed) {
  const Scratch scratch;
  fs::create_symlink(fixture("good"), scratch.path("link.attune.so"));
  Over over(scratch.path());
  const Provider provider = over.registry.resolve("dataset/1", "good");

  fs::remove(scratch.path("link.attune.so"));
  fs::create_symlink(fixture("wrong_id"), scratch.path("link.attune.so"));

  EXPECT_HAS(message_of([&] { over.loader.create(provider, {}); }),
             "P-22 " + scratch.path("link.attune.so"));
}

TEST(Loader, FindsALibraryBesideThePlugin) {
  Over over(fixture_folder("bundled"));

  EXPECT_NO_THROW(over.loader.make<attune_dataset>("dataset/1", "bundled"));
  EXPECT_EQ(bundled_files(fixture("bundled")),
            std::vector{fixture_folder("bundled") + "/private/libbeside.so"});
}

TEST(Loader, RefusesAPurePluginThatOpensLibTorchLater) {
  Over over(fixture_folder("opens_torch"));

  EXPECT_HAS(message_of([&] { over.loader.create("dataset/1", "opens_torch", {}); }),
             "P-05 " + fixture("opens_torch"));
}

TEST(Loader, RefusesOperatorsThatRegisterThemselves) {
  Over over(fixture_folder("registers"));

  EXPECT_HAS(message_of([&] { over.loader.create("dataset/1", "registers", {}); }),
             "P-10 " + fixture("registers"));
}

// ---- whom the site trusts ----

struct Signed {
  Signed() {
    fs::copy(fixture("good"), file);
    sign_with(key);
  }
  void sign_with(const SecretKey& by) { spill(file + ".minisig", sign(by, slurp(file), "test")); }
  Policy policy() const {
    Policy made;
    made.require = Policy::Require::kSigned;
    made.keys = {{"ours", key.public_key()}};
    return made;
  }
  /// "" where it loads.
  std::string refusal(const Policy& policy, std::optional<Gate::Pinned> lock = {}) {
    Over over(scratch.path(), Gate(policy, std::move(lock)));
    try {
      over.loader.make<attune_dataset>("dataset/1", "good");
    } catch (const Refused& refused) {
      EXPECT_EQ(refused.exit(), Exit::kTrust);
      return refused.refusals().front().rule;
    }
    return "";
  }
  Scratch scratch;
  std::string file = scratch.path("good.attune.so");
  SecretKey key = new_secret_key(), other = new_secret_key();
};

TEST(Gate, LoadsWhatATrustedKeySigned) {
  Signed plugin;

  EXPECT_EQ(plugin.refusal(plugin.policy()), "");
}

TEST(Gate, NamesWhatIsWrongWithASignature) {
  Signed plugin;
  plugin.sign_with(plugin.other);
  EXPECT_EQ(plugin.refusal(plugin.policy()), "T-03");
  spill(plugin.file + ".minisig", sign(plugin.key, "other bytes", "test"));
  EXPECT_EQ(plugin.refusal(plugin.policy()), "T-05");
  spill(plugin.file + ".minisig", "no signature");
  EXPECT_EQ(plugin.refusal(plugin.policy()), "T-02");
  fs::remove(plugin.file + ".minisig");
  EXPECT_EQ(plugin.refusal(plugin.policy()), "T-01");
}

TEST(Gate, RotatesKeys) {
  Signed plugin;
  Policy both = plugin.policy();
  both.keys.push_back({"next", plugin.other.public_key()});
  EXPECT_EQ(plugin.refusal(both), "");
  plugin.sign_with(plugin.other);
  EXPECT_EQ(plugin.refusal(both), "");

  Policy next = both;
  next.keys.erase(next.keys.begin());

  EXPECT_EQ(plugin.refusal(next), "");
  plugin.sign_with(plugin.key);
  EXPECT_EQ(plugin.refusal(next), "T-03");
}

TEST(Gate, RefusesARevokedKeyEvenWhereItIsTrusted) {
  Signed plugin;
  Policy policy = plugin.policy();
  policy.revoked[text_of(plugin.key.id)] = "lost";

  EXPECT_EQ(plugin.refusal(policy), "T-04");
}

TEST(Gate, LoadsUnderALockOnlyWhatItPins) {
  Signed plugin;
  const std::string sha = SealedFile(plugin.file).sha256();

  EXPECT_EQ(plugin.refusal({}, Gate::Pinned{{sha, "good"}}), "");
  EXPECT_EQ(plugin.refusal({}, Gate::Pinned{}), "T-06");
  Policy locked;
  locked.require = Policy::Require::kLocked;
  EXPECT_EQ(plugin.refusal(locked), "T-06");
}

}  // namespace
}  // namespace attune
