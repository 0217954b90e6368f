// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/rules.h"

#include <gtest/gtest.h>

#include "plugins/scratch.h"

namespace attune {
namespace {

using namespace attune::testing;

TEST(Rules, FindNothingWrongWithAGoodPlugin) {
  EXPECT_TRUE(check_file(read_plugin(fixture("good")), this_host()).empty());
  EXPECT_TRUE(check_file(read_plugin(fixture("torch_tier")), this_host()).empty());
}

TEST(Rules, RefuseEachBadPluginByItsNumber) {
  const struct {
    std::string name, rule, message;
  } rows[] = {
      {"two_exports", "P-01",
       "expected one exported symbol, attune_plugin_v1, found also attune_another_symbol"},
      {"no_export", "P-01", "found it is not among the exports, but attune_misnamed_v1"},
      {"newer_abi", "P-04", "expected plugin ABI 0 with a minor of at most 1, found ABI 0.99"},
      {"needs_torch", "P-05",
       "expected a plugin of the pure tier to need no LibTorch, found it needs libtorch_cpu.so"},
      {"torch_symbol", "P-05", "_ZNK2at6Tensor5valueEv"},
      {"wrong_fingerprint", "P-06",
       "cxx11abi: 1 here, 0 in the plugin; torch: 2.11.0 here, 1.13.0 in the plugin"},
      {"own_malloc", "P-07", "it defines malloc"},
      {"static_tls", "P-09", "the flag STATIC_TLS"},
      {"text_relocation", "P-09", "the flag TEXTREL"},
      {"exec_stack", "P-09", "expected a stack that is not executable"},
      {"run_path", "P-09", "found \"/opt/somewhere\""},
  };
  for (const auto& row : rows) {
    const auto refusals = check_file(read_plugin(fixture(row.name)), this_host());
    ASSERT_FALSE(refusals.empty()) << row.name;
    bool found = false;
    for (const Refusal& refusal : refusals)
      found |= refusal.rule == row.rule && refusal.text().find(row.message) != std::string::npos;
    EXPECT_TRUE(found) << row.name << ": " << refusals[0].text();
    EXPECT_EQ(refusals[0].file, fixture(row.name));
    EXPECT_FALSE(refusals[0].cure.empty());
  }
}

TEST(Rules, SayHowToCureAFingerprint) {
  const auto refusals = check_metadata(read_plugin(fixture("wrong_fingerprint")), this_host());

  ASSERT_EQ(refusals.size(), 1u);
  EXPECT_EQ(refusals[0].cure,
            "rebuild the plugin with the SDK of torch revision 1 against LibTorch 2.11.0 for " +
                std::string(this_machine()));
}

TEST(Rules, RefuseAnotherMajorEvenIfOlder) {
  PluginInfo plugin = read_plugin(fixture("good"));
  const HostFacts host{2, 0, ""};

  const auto refusals = check_metadata(plugin, host);

  ASSERT_EQ(refusals.size(), 1u);
  EXPECT_EQ(refusals[0].rule, "P-04");
  EXPECT_EQ(refusals[0].cure, "rebuild the plugin with the SDK of ABI 2.0");
}

TEST(Rules, NameFingerprintFieldsThatOneSideLacks) {
  EXPECT_EQ(fingerprint_differences("torch=2.11.0 arch=x86_64", "torch=2.11.0 cuda=12"),
            (std::vector<std::string>{"arch: x86_64 here, nothing in the plugin",
                                      "cuda: nothing here, 12 in the plugin"}));
  EXPECT_TRUE(fingerprint_differences("a=1 b=2", "b=2  a=1").empty());
}

TEST(Rules, TellSymbolsOfLibTorchFromOthers) {
  for (const char* name : {"_ZN2at6TensorC1Ev", "_ZNK3c1010TensorImpl4sizeEl",
                           "_ZN5torch8autograd4NodeD2Ev", "_ZTIN3c105ErrorE", "_ZTVN2at6TensorE",
                           "_ZGVN2at1xE", "_ZNKR2at6Tensor3fooEv", "_ZNVK2at1a1bEv"}) {
    EXPECT_TRUE(needs_torch_symbol(name)) << name;
  }
  for (const char* name : {"_ZN3attC1Ev", "_ZNSt6vectorIiE", "malloc", "_ZN10torchaudio3fooEv",
                           "_Z3fooN2at6TensorE", "_Z", "_ZN", "_ZNK", ""}) {
    EXPECT_FALSE(needs_torch_symbol(name)) << name;
  }
}

TEST(Rules, AllowRunPathsOfTheTierOnly) {
  PluginInfo plugin = read_plugin(fixture("good"));
  ElfFacts facts = read_elf(SealedFile(fixture("good")).bytes());
  const Scratch scratch;
  spill(scratch.folder("torch") + "/libtorch_cpu.so", "");
  const auto refused = [&](const std::string& path, Tier tier) {
    plugin.tier = tier;
    facts.run_paths = {path};
    return !check_elf(plugin, facts).empty();
  };
  for (const char* path : {"$ORIGIN", "${ORIGIN}/../lib", "$ORIGIN/deps"}) {
    EXPECT_FALSE(refused(path, Tier::kPure)) << path;
    EXPECT_FALSE(refused(path, Tier::kTorch)) << path;
  }
  for (const char* path : {"", ".", "lib", "$ORIGINAL"}) {
    EXPECT_TRUE(refused(path, Tier::kPure)) << path;
    EXPECT_TRUE(refused(path, Tier::kTorch)) << path;
  }
  EXPECT_TRUE(refused(scratch.path("torch"), Tier::kPure));
  EXPECT_FALSE(refused(scratch.path("torch"), Tier::kTorch));
  EXPECT_FALSE(refused(scratch.path("not there"), Tier::kTorch));
  EXPECT_TRUE(refused(scratch.path(), Tier::kTorch));
}

TEST(Rules, RefuseAFolderThatAnybodyMayWrite) {
  const Scratch scratch;
  EXPECT_TRUE(check_folder(scratch.path()).empty());
  std::filesystem::permissions(scratch.path(), std::filesystem::perms::others_write,
                               std::filesystem::perm_options::add);

  const auto refusals = check_folder(scratch.path());

  ASSERT_EQ(refusals.size(), 1u);
  EXPECT_EQ(refusals[0].rule, "P-21");
  EXPECT_EQ(refusals[0].file, scratch.path());
}

}  // namespace
}  // namespace attune
