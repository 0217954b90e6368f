// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/metadata.h"

#include <gtest/gtest.h>

#include "kernel/host/plugins/elf_facts.h"
#include "kernel/host/plugins/refusal.h"
#include "plugins/scratch.h"

namespace attune {
namespace {

using namespace attune::testing;

constexpr auto kGood = R"(
id = "org.example.good"
version = "1.0.2"
license = "Apache-2.0"
tier = "torch"
summary = "Good"
[[provides]]
kind = "algorithm/1"
name = "good"
sample = "pair"
reference = true
weights = [1, 2.5]
[provides.options.beta]
type = "float"
default = 0.1
help = "Strength"
[build]
abi = "0.1"
fingerprint = "torch=2.11.0"
compiler = "GNU 12"
)";

TEST(Metadata, ReadsEveryKey) {
  const PluginInfo info = parse_metadata(kGood);

  EXPECT_EQ(info.id, "org.example.good");
  EXPECT_EQ(info.version, "1.0.2");
  EXPECT_EQ(info.license, "Apache-2.0");
  EXPECT_EQ(info.summary, "Good");
  EXPECT_EQ(info.tier, Tier::kTorch);
  EXPECT_EQ(info.abi_major, 0);
  EXPECT_EQ(info.abi_minor, 1);
  EXPECT_EQ(info.fingerprint, "torch=2.11.0");
  EXPECT_EQ(info.compiler, "GNU 12");
  ASSERT_EQ(info.provides.size(), 1u);
  const Provided& factory = info.provides[0];
  EXPECT_EQ(factory.kind, "algorithm/1");
  EXPECT_EQ(factory.name, "good");
  EXPECT_EQ(factory.summary, "Good");
  ASSERT_EQ(factory.options.size(), 1u);
  EXPECT_EQ(factory.options[0].name, "beta");
  EXPECT_EQ(factory.metadata["sample"], "pair");
  EXPECT_EQ(factory.metadata["reference"], true);
  EXPECT_EQ(factory.metadata["weights"], Json::parse("[1, 2.5]"));
}

TEST(Metadata, NamesTheKeyWhatItExpectsAndWhatItFinds) {
  const struct {
    std::string from, to, message;
  } rows[] = {
      {"id = \"org.example.good\"", "", "expected `id` to be a reverse DNS name"},
      {"id = \"org.example.good\"", "", "found no such key"},
      {"org.example.good", "good", "found \"good\""},
      {"org.example.good", "Org.Example", "found \"Org.Example\""},
      {"org.example.good", "org.example:good", "found \"org.example:good\""},
      {"id = \"org.example.good\"", "id = 3",
       "expected `id` to be a string, found a value of type integer"},
      {"version = \"1.0.2\"", "", "expected `version` to be a version"},
      {"version = \"1.0.2\"", "version = 1.0", "found a value of type floating-point"},
      {"license = \"Apache-2.0\"", "license = \"\"",
       "expected `license` to be an SPDX expression, like \"Apache-2.0\", found an empty string"},
      {"tier = \"torch\"", "tier = \"jax\"",
       "expected `tier` to be \"pure\" or \"torch\", found \"jax\""},
      {"summary = \"Good\"", "", "expected `summary`"},
      {"algorithm/1", "algorithm", "expected `provides[0].kind` to be a kind and its version"},
      {"algorithm/1", "a/b/c", "found \"a/b/c\""},
      {"name = \"good\"", "name = \"a b\"", "expected `provides[0].name`"},
      {"name = \"good\"", "", "`provides[0].name`"},
      {"[[provides]]", "[provides]",
       "expected `provides` to be one or more [[provides]] tables, found a value of type table"},
      {"type = \"float\"", "type = \"flaot\"", "`provides[0].options`"},
      {"[provides.options.beta]", "[provides.option_s]", ""},
      {"abi = \"0.1\"", "abi = \"0\"",
       "expected `build.abi` to be \"major.minor\", as the build helper writes it, found \"0\""},
      {"abi = \"0.1\"", "abi = \"0.1.2\"", "found \"0.1.2\""},
      {"abi = \"0.1\"", "abi = \"-1.2\"", "found \"-1.2\""},
      {"abi = \"0.1\"", "abi = \"0.99999999999999999999\"", "`build.abi`"},
      {"[build]", "[built]",
       "expected `build` to be the table that attune_add_plugin adds, found no such key"},
      {"[build]", "[[provides]]\nkind = \"algorithm/1\"\nname = \"good\"\n[build]",
       "a second \"good\""},
      {"[build]", "[build", "expected metadata in TOML"},
      {"[build]", "[%]", "expected metadata in TOML"},
      {"Good", "\xff\xfe", "expected metadata in TOML"},
  };
  for (const auto& row : rows) {
    const std::string text = replaced(kGood, row.from, row.to);
    if (row.message.empty()) {
      EXPECT_NO_THROW(parse_metadata(text)) << row.to;
    } else {
      EXPECT_HAS(message_of([&] { parse_metadata(text); }), row.message)
          << row.from << " -> " << row.to;
    }
  }
}

TEST(Metadata, TurnsAMalformedNoteIntoARefusalOfRuleP02) {
  for (const std::string name : {"no_note", "large_note"}) {
    try {
      read_plugin(fixture(name));
      FAIL() << name;
    } catch (const Refused& refused) {
      ASSERT_EQ(refused.refusals().size(), 1u);
      EXPECT_EQ(refused.refusals()[0].rule, "P-02");
      EXPECT_EQ(refused.refusals()[0].file, fixture(name));
      EXPECT_EQ(refused.exit(), Exit::kPluginRefused);
      EXPECT_HAS(refused.what(), "cure: build the plugin with attune_add_plugin");
    }
  }
}

TEST(Metadata, RefusesAFileThatAnybodyMayWrite) {
  const Scratch scratch;
  const std::string file = scratch.path("good.attune.so");
  std::filesystem::copy(fixture("good"), file);
  std::filesystem::permissions(file, std::filesystem::perms::others_write,
                               std::filesystem::perm_options::add);

  EXPECT_HAS(message_of([&] { read_plugin(file); }), "P-21 " + file);
}

}  // namespace
}  // namespace attune
