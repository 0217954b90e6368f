// SPDX-License-Identifier: Apache-2.0
// Plugins built with the header of each release, in several languages, and one from the future, in the host of today.
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "faults/process.h"
#include "kernel/host/plugins/elf_facts.h"
#include "kernel/host/plugins/loader.h"
#include "kernel/host/plugins/probe.h"

namespace attune {
namespace {

using namespace attune::testing;

std::string folder_of(const std::string& name) { return std::string(ATTUNE_FIXTURES) + "/" + name; }

void write_turn(const attune_turn& turn, std::ostream& out) {
  out << "    " << view(turn.role) << " weight " << turn.weight << "\n";
  for (size_t p = 0; p < turn.n_parts; ++p) {
    const attune_part& part = turn.parts[p];
    out << "      part " << part.kind << " \"" << std::string_view(static_cast<const char*>(part.data.data), part.data.size) << "\" mime \""
        << view(part.mime) << "\" uri \"" << view(part.uri) << "\"\n";
  }
}

int32_t write_sample(void* context, const attune_sample* sample) {
  auto& out = *static_cast<std::ostringstream*>(context);
  out << "sample \"" << view(sample->id) << "\" of " << sample->n_views << " views, " << sample->n_prompt << " turns in common\n";
  for (size_t v = 0; v < sample->n_views; ++v) {
    const attune_view& one = sample->views[v];
    out << "  view rated " << (std::isnan(one.rating) ? "nan" : Json(static_cast<int>(one.rating)).dump()) << ", feedback \"" << view(one.feedback) << "\"\n";
    for (size_t t = 0; t < one.n_turns; ++t) write_turn(one.turns[t], out);
  }
  out << "  labels " << to_json(*sample->labels).dump() << "\n";
  return ATTUNE_OK;
}

/// All that the golden plugin `name` of `registry` says and makes.
std::string transcript(const Registry& registry, const std::string& name) {
  std::ostringstream out;
  Loader loader(registry, "", [&](auto, int level, std::string_view said) { out << "log " << level << " " << said << "\n"; });
  const auto dataset = loader.make<attune_dataset>("dataset/1", name);
  const attune_sample_sink sink{ATTUNE_END(attune_sample_sink, emit), 0, &out, &write_sample};
  for (const Json& record : {Json{{"question", "What?"}}, Json{{"other", 1}}}) {
    Arena arena;
    const attune_value value = to_value(record, arena);
    const int32_t code = dataset->map(dataset->self, &value, &sink);
    if (code != ATTUNE_OK) out << "refused " << code << " " << last_failure() << "\n";
  }
  return out.str();
}

std::string expected() { return read_file(fs::path(ATTUNE_SOURCE_DIR) / "tests/abi/golden/transcript.txt"); }

TEST(Golden, TheKeptHeaderMakesTheKeptTranscript) {
  for (const std::string name : {"golden_c", "golden_cpp"}) {
    EXPECT_EQ(transcript(Registry({{folder_of(name), "--plugin-path", true}}), name), expected()) << name;
  }
}

// gcc, g++, clang with a libc++ of its own, Rust: as golden/make.sh built them when the release was made.
TEST(Golden, WhatCompilersMadeOfEachReleaseRunsAsItDid) {
  for (const auto& release : fs::directory_iterator(fs::path(ATTUNE_SOURCE_DIR) / "sdk/released")) {
    const std::string version = release.path().filename().string();
    const Registry registry({{std::string(ATTUNE_SOURCE_DIR) + "/tests/abi/golden/" + version, "--plugin-path", true}});
    std::vector<std::string> names;
    for (const auto& plugin : registry.plugins()) {
      const std::string& name = names.emplace_back(plugin->provides.at(0).name);
      EXPECT_EQ(std::to_string(plugin->abi_major) + "." + std::to_string(plugin->abi_minor), version) << name;
      EXPECT_EQ(transcript(registry, name), expected()) << version << " " << name;
    }
    EXPECT_EQ(names, (std::vector<std::string>{"golden_c", "golden_cpp", "golden_libcxx", "golden_rust"})) << version;
  }
}

TEST(Golden, ThePluginWithALibraryOfItsOwnNeedsNoOther) {
  const std::string bytes = read_file(fs::path(ATTUNE_SOURCE_DIR) / "tests/abi/golden/0.1/golden_libcxx.attune.so");

  const ElfFacts facts = read_elf(std::as_bytes(std::span(bytes)));

  EXPECT_EQ(facts.needed, (std::vector<std::string>{"libm.so.6", "libc.so.6"}));
}

TEST(Future, APluginOfALaterSdkRunsWhereItNeedsNoMore) {
  const Registry registry({{folder_of("future"), "--plugin-path", true}});
  ASSERT_TRUE(registry.refused().empty());
  Loader loader(registry, "", [](auto, int, auto) {});

  EXPECT_NO_THROW(loader.make<attune_dataset>("dataset/1", "future"));
  EXPECT_EQ(registry.providers("teleport/9").size(), 1u);
  EXPECT_FALSE(probe(*registry.plugins()[0], SealedFile(registry.plugins()[0]->file)));
}

}  // namespace
}  // namespace attune
