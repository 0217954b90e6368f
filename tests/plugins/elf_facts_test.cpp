// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/elf_facts.h"
#include "kernel/host/plugins/sealed_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>

#include "kernel/host/plugins/metadata.h"
#include "plugins/scratch.h"

namespace attune {
namespace {

using namespace attune::testing;

std::span<const std::byte> bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Reads all that can be read. Returns whether the file was refused.
bool refused(const std::string& file, bool with_metadata = true) {
  bool thrown = false;
  try {
    const std::string note = read_note(bytes(file));
    if (with_metadata) parse_metadata(note);
  } catch (const FormatError&) {
    thrown = true;
  }
  try {
    read_elf(bytes(file));
  } catch (const FormatError&) {
    thrown = true;
  }
  return thrown;
}

TEST(ElfFacts, ReadsTheNoteOfAPlugin) {
  const SealedFile file(fixture("good"));

  const std::string note(read_note(file.bytes()));

  EXPECT_EQ(note.rfind("id = \"org.attune.test.good\"", 0), 0u);
  EXPECT_HAS(note, "[build]");
}

TEST(ElfFacts, ReadsWhatTheDynamicLoaderSees) {
  const SealedFile file(fixture("good"));

  const ElfFacts facts = read_elf(file.bytes());

  EXPECT_EQ(facts.machine, this_machine());
  EXPECT_TRUE(has(facts.needed, "libc.so.6"));
  EXPECT_EQ(facts.defined, std::vector<std::string>{"attune_plugin_v1"});
  EXPECT_TRUE(has(facts.undefined, "free"));
  EXPECT_TRUE(facts.run_paths.empty());
  EXPECT_FALSE(facts.static_tls || facts.text_relocations || facts.executable_stack);
}

TEST(ElfFacts, TellsDangerousFlags) {
  EXPECT_TRUE(read_elf(SealedFile(fixture("static_tls")).bytes()).static_tls);
  EXPECT_TRUE(read_elf(SealedFile(fixture("text_relocation")).bytes()).text_relocations);
  EXPECT_TRUE(read_elf(SealedFile(fixture("exec_stack")).bytes()).executable_stack);
  EXPECT_EQ(read_elf(SealedFile(fixture("run_path")).bytes()).run_paths,
            std::vector<std::string>{"/opt/somewhere"});
}

TEST(ElfFacts, ReadsTheSymbolsOfLibrariesWithManyOfThem) {
  // The C++ library of this process: some six thousand symbols, versioned, and a soname.
  const char* found = nullptr;
  for (const char* path :
       {"/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/usr/lib/aarch64-linux-gnu/libstdc++.so.6",
        "/usr/lib64/libstdc++.so.6"}) {
    if (std::filesystem::exists(path)) found = path;
  }
  if (!found) return;

  const ElfFacts facts = read_elf(SealedFile(found).bytes());

  EXPECT_EQ(facts.soname, "libstdc++.so.6");
  EXPECT_GT(facts.defined.size(), 3000u);
  EXPECT_TRUE(has(facts.defined, "_Znwm"));
  EXPECT_TRUE(has(facts.undefined, "malloc"));
}

TEST(ElfFacts, FindsTheNoteBySectionsWhereNoSegmentShowsIt) {
  std::string file = slurp(fixture("good"));
  uint64_t headers;
  uint16_t count;
  std::memcpy(&headers, file.data() + 32, 8);
  std::memcpy(&count, file.data() + 56, 2);
  for (uint16_t i = 0; i < count; ++i) {
    uint32_t type;
    std::memcpy(&type, file.data() + headers + i * 56, 4);
    if (type == 4) std::memset(file.data() + headers + i * 56, 0, 4);
  }

  EXPECT_HAS(std::string(read_note(bytes(file))), "org.attune.test.good");
}

TEST(ElfFacts, NamesWhatIsNoPlugin) {
  const std::string good = slurp(fixture("good"));
  std::string other_machine = good, other_class = good, program = good;
  other_machine[18] = static_cast<char>(this_machine() == "x86_64" ? 183 : 62);
  other_class[4] = 1;
  program[16] = 2;
  const std::pair<std::string, std::string> rows[] = {
      {"", "found 0 bytes"},
      {"short", "found 5 bytes"},
      {std::string(200, 'x'), "a file of another format"},
      {good.substr(0, 63), "found 63 bytes"},
      {other_machine, "found one for"},
      {other_class, "not 64-bit"},
      {program, "ELF type 2"},
  };
  for (const auto& [file, part] : rows) {
    EXPECT_HAS(message_of([&] { read_note(bytes(file)); }), part);
  }
  EXPECT_HAS(message_of([&] { read_note(SealedFile(fixture("no_note")).bytes()); }),
             "a note with owner ATTUNE");
  EXPECT_HAS(message_of([&] { read_note(SealedFile(fixture("large_note")).bytes()); }),
             "at most 65536 bytes");
}

TEST(ElfFacts, RefusesAFileThatIsNotRegular) {
  EXPECT_HAS(message_of([] { SealedFile file("/tmp"); }), "expected a regular file");
  EXPECT_HAS(message_of([] { SealedFile file("/there/is/none"); }), "cannot open");
}

TEST(ElfFacts, SurvivesTruncationAtEvery64thByte) {
  for (const std::string name : {"good", "throws"}) {
    const std::string whole = slurp(fixture(name));
    for (size_t size = 0; size < whole.size(); size += 64) {
      // A copy of just this size on the heap lets a sanitizer see any byte read past it.
      refused(std::string(whole.data(), size));
    }
    EXPECT_FALSE(refused(whole)) << name;
  }
}

TEST(ElfFacts, SurvivesTwoThousandFlippedBytes) {
  for (const std::string name : {"good", "throws"}) {
    const std::string whole = slurp(fixture(name));
    std::mt19937_64 random(20260101);
    size_t refusals = 0;
    for (int round = 0; round < 2000; ++round) {
      std::string file = whole;
      // Half of the flips hit headers and tables, where the offsets are.
      const size_t reach = round % 2 ? file.size() : std::min<size_t>(file.size(), 4096);
      for (int flips = 0; flips < 1 + round % 8; ++flips)
        file[random() % reach] ^= static_cast<char>(1 + random() % 255);
      refusals += refused(file);
    }
    EXPECT_GT(refusals, 200u) << name;
  }
}

TEST(ElfFacts, SurvivesEveryWordOfTheHeadersBeingHuge) {
  const std::string whole = slurp(fixture("good"));
  for (size_t offset = 16; offset + 8 < std::min<size_t>(whole.size(), 4096); offset += 4) {
    for (const uint64_t value :
         {~uint64_t{0}, uint64_t{1} << 63, uint64_t{whole.size()}, uint64_t{0x7fffffff}}) {
      std::string file = whole;
      std::memcpy(file.data() + offset, &value, sizeof value);
      refused(file, /*with_metadata=*/false);
    }
  }
  EXPECT_FALSE(refused(whole));
}

TEST(ElfFacts, ReadsMetadataInUnder200Microseconds) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  for (int round = 0; round < 50; ++round) {
    const auto start = Clock::now();
    read_plugin(fixture("good"));
    best = std::min(best, std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  RecordProperty("microseconds", std::to_string(best));

  EXPECT_LT(best, 200 * kSlowness);
}

}  // namespace
}  // namespace attune
