// SPDX-License-Identifier: Apache-2.0
// Files that are meant to hurt: each ends in a numbered rule, and the host goes on.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>
#include <iostream>
#include <map>

#include "kernel/host/plugins/loader.h"
#include "kernel/host/plugins/probe.h"
#include "plugins/hostile/mutate.h"
#include "plugins/scratch.h"

namespace attune {
namespace {

namespace fs = std::filesystem;
using namespace attune::testing;

/// The first rule that a folder of plugins breaks, as far as the host goes with it: list, prove, try
/// in a child. "" where it breaks none.
std::string rule_of(const std::string& folder) {
  try {
    const Registry registry({{folder, "--plugin-path", true}});
    if (!registry.refused().empty()) return registry.refused()[0].refusals.at(0).rule;
    if (registry.plugins().empty()) return "no plugin";
    Loader loader(registry, "", [](auto, int, auto) {});
    const PluginInfo& plugin = *registry.plugins()[0];
    const Provider provider{&plugin, &plugin.provides.at(0)};
    loader.prove({&provider, 1});
    const auto refusal = probe(plugin, SealedFile(plugin.file), {.seconds = 0.5 * kSlowness});
    return refusal ? refusal->rule : "";
  } catch (const Refused& refused) {
    return refused.refusals()[0].rule;
  }
}

std::string rule_of_bytes(const std::string& bytes) {
  const Scratch scratch;
  spill(scratch.path("x.attune.so"), bytes);
  return rule_of(scratch.path());
}

/// File -> the rule that it must break.
class Table {
 public:
  void row(const std::string& name, const std::string& expected, const std::string& found) {
    std::cout << name << std::string(name.size() < 40 ? 40 - name.size() : 1, ' ') << expected << "  " << (found.empty() ? "loads" : found) << "\n";
    EXPECT_EQ(found, expected) << name;
    ++rows_;
  }
  void bytes(const std::string& name, const std::string& expected, const std::string& bytes) { row(name, expected, rule_of_bytes(bytes)); }
  size_t rows() const { return rows_; }

 private:
  size_t rows_ = 0;
};

void damaged_headers(Table& table, const std::string& good) {
  table.bytes("empty", "P-02", "");
  table.bytes("one byte", "P-02", "\x7f");
  table.bytes("text", "P-02", "#!/bin/sh\nexit 0\n");
  table.bytes("wrong magic", "P-02", "\x7f" "FLE" + good.substr(4));
  const auto change = [&](const std::string& name, auto body) { table.bytes(name, "P-02", header(good, body)); };
  change("32 bits", [](Elf64_Ehdr& h) { h.e_ident[EI_CLASS] = ELFCLASS32; });
  change("big-endian", [](Elf64_Ehdr& h) { h.e_ident[EI_DATA] = ELFDATA2MSB; });
  change("a program", [](Elf64_Ehdr& h) { h.e_type = ET_EXEC; });
  change("an object file", [](Elf64_Ehdr& h) { h.e_type = ET_REL; });
  change("for another machine", [](Elf64_Ehdr& h) { h.e_machine = h.e_machine == EM_X86_64 ? EM_AARCH64 : EM_X86_64; });
  change("for no machine", [](Elf64_Ehdr& h) { h.e_machine = 0xffff; });
  change("program headers of no size", [](Elf64_Ehdr& h) { h.e_phentsize = 0; });
  change("program headers behind the end", [](Elf64_Ehdr& h) { h.e_phoff = 1 << 30; });
  change("program headers past 2^64", [](Elf64_Ehdr& h) { h.e_phoff = ~uint64_t{0} - 8; });
  change("65535 program headers", [](Elf64_Ehdr& h) { h.e_phnum = 0xffff; });
  change("no program headers", [](Elf64_Ehdr& h) { h.e_phnum = 0; });
  change("section headers behind the end", [](Elf64_Ehdr& h) { h.e_shoff = ~uint64_t{0} - 64; });
}

void damaged_notes(Table& table, const std::string& good) {
  const auto segment = [&](const std::string& name, auto body) { table.bytes(name, "P-02", segments(good, PT_NOTE, body)); };
  segment("note segment of 2^63 bytes", [](Elf64_Phdr& s) { s.p_filesz = uint64_t{1} << 63; });
  segment("note segment past 2^64", [](Elf64_Phdr& s) { s.p_offset = ~uint64_t{0} - 8; });
  // The section headers still find the note.
  table.bytes("note segment of 8 bytes", "", segments(good, PT_NOTE, [](Elf64_Phdr& s) { s.p_filesz = 8; }));
  const auto change = [&](const std::string& name, auto body) { table.bytes(name, "P-02", note(good, body)); };
  change("note of 4 GiB", [](Elf64_Nhdr& n) { n.n_descsz = 0xffffffff; });
  change("note of 65537 bytes", [](Elf64_Nhdr& n) { n.n_descsz = 65537; });
  change("note longer than its segment", [](Elf64_Nhdr& n) { n.n_descsz += 4096; });
  change("note whose owner has 4 GiB", [](Elf64_Nhdr& n) { n.n_namesz = 0xffffffff; });
  change("note without an owner", [](Elf64_Nhdr& n) { n.n_namesz = 0; });
  change("owner that overlaps the metadata", [](Elf64_Nhdr& n) { n.n_namesz = 64; });
  change("note of another type", [](Elf64_Nhdr& n) { n.n_type = 2; });
  change("empty note", [](Elf64_Nhdr& n) { n.n_descsz = 0; });
  change("note cut in the middle of a word", [](Elf64_Nhdr& n) { n.n_descsz = 13; });
  table.bytes("note of another owner", "P-02", with(good, note_at(good) + sizeof(Elf64_Nhdr), 'B'));
  // Two notes: the second begins inside what was the first one's metadata.
  std::string two = note(good, [](Elf64_Nhdr& n) { n.n_descsz = 64; });
  const size_t second = note_at(good) + sizeof(Elf64_Nhdr) + 8 + 64;
  two = with(two, second, Elf64_Nhdr{7, 16, 1});
  two.replace(second + sizeof(Elf64_Nhdr), 8, std::string("ATTUNE\0\0", 8));
  table.bytes("two notes", "P-02", two);
}

void wrong_metadata(Table& table, const std::string& good) {
  table.bytes("metadata that is not TOML", "P-02", metadata(good, "id = = ="));
  table.bytes("metadata of blanks", "P-02", metadata(good, ""));
  table.bytes("metadata with NUL bytes", "P-02", metadata(good, std::string("id = \"a\0b\"", 10)));
  table.bytes("metadata that is not UTF-8", "P-02", metadata(good, "id = \"org.\xff\xfe\""));
  table.bytes("overlong UTF-8", "P-02", metadata(good, "id = \"org.\xc0\xaf\""));
  table.bytes("a surrogate in UTF-8", "P-02", metadata(good, "id = \"org.\xed\xa0\x80\""));
  table.bytes("400 open brackets", "P-02", metadata(good, "a = " + std::string(300, '[')));
  table.bytes("an id with capitals", "P-02", word(good, "org.attune.test", "ORG.attune.test"));
  table.bytes("an id that is a path", "P-02", word(good, "org.attune.test", "../attune/test/"));
  table.bytes("an unknown tier", "P-02", word(good, "\"pure\"", "\"fast\""));
  table.bytes("a tier that lies", "P-06", word(good, "\"pure\"", "\"torch\""));
  table.bytes("an ABI that is a word", "P-02", word(good, "abi = \"0.", "abi = \"x."));
  table.bytes("a negative ABI", "P-02", word(good, "abi = \"0.", "abi = \"-."));
  table.bytes("an ABI of another major", "P-04", word(good, "abi = \"0.", "abi = \"9."));
  table.bytes("an ABI that overflows", "P-02", word(good, "abi = \"0.", "abi = \"99999999999."));
  table.bytes("a kind without a version", "P-02", word(good, "dataset/1", "dataset"));
  table.bytes("no factories", "P-02", word(good, "[[provides]]", "[[provider]]"));
  table.bytes("an option of no type", "P-02", word(good, "type = \"string\"", "type = \"magic\""));
}

void damaged_symbols(Table& table, const std::string& good) {
  table.bytes("no dynamic section", "P-02", segments(good, PT_DYNAMIC, [](Elf64_Phdr& s) { s.p_type = PT_NULL; }));
  table.bytes("dynamic section nowhere", "P-02", segments(good, PT_DYNAMIC, [](Elf64_Phdr& s) { s.p_vaddr = ~uint64_t{0}; }));
  table.bytes("names nowhere", "P-02", dynamic(good, DT_STRTAB, ~uint64_t{0}));
  table.bytes("symbols nowhere", "P-02", dynamic(good, DT_SYMTAB, ~uint64_t{0} - 4));
  table.bytes("segments behind the end", "P-02", segments(good, PT_LOAD, [](Elf64_Phdr& s) { s.p_offset = uint64_t{1} << 40; }));
  const size_t hash = dynamic_value(good, DT_GNU_HASH);
  table.bytes("a hash table of 4 G buckets", "P-02", with(good, hash, uint32_t{0xffffffff}));
  table.bytes("a bloom filter of 4 G words", "P-02", with(good, hash + 8, uint32_t{0xffffffff}));
  table.bytes("symbols from number 4 G", "P-02", with(good, hash + 4, uint32_t{0xffffffff}));
}

void compiled(Table& table) {
  const std::vector<std::pair<std::string, std::string>> kRows = {
      {"two_exports", "P-01"},       {"no_export", "P-01"},          {"no_note", "P-02"},
      {"large_note", "P-02"},        {"wrong_id", "P-03"},           {"wrong_factory", "P-03"},
      {"newer_abi", "P-04"},         {"needs_torch", "P-05"},        {"torch_symbol", "P-05"},
      {"opens_torch_too", "P-05"},       {"wrong_fingerprint", "P-06"},  {"own_malloc", "P-07"},
      {"missing_symbol", "P-08"},    {"run_path", "P-09"},           {"static_tls", "P-09"},
      {"text_relocation", "P-09"},   {"exec_stack", "P-09"},         {"registers", "P-10"},
      {"takes_a_signal", "P-10"},    {"changes_folder", "P-10"},     {"changes_locale", "P-10"},
      {"changes_environment", "P-10"}, {"changes_umask", "P-10"},    {"throws", "P-11"},
      {"exits_at_load", "P-11"},     {"exits_in_init", "P-11"},      {"exits_in_create", "P-11"},
      {"aborts_in_init", "P-11"},    {"crashes_at_load", "P-11"},    {"crashes_in_map", "P-11"},
      {"crashes_in_destroy", "P-11"}, {"overflows_the_stack", "P-11"}, {"longjmps", "P-11"},
      {"kills_its_group", "P-11"},   {"makes_nothing", "P-11"},      {"no_entry", "P-03"},
      {"short_entry", "P-03"},       {"no_factories", "P-03"},       {"short_factory", "P-03"},
      {"other_abi", "P-03"},         {"reads_old_options", "P-12"},  {"reads_old_record", "P-12"},
      {"writes_old_record", "P-12"}, {"emits_after_the_call", "P-12"}, {"leaves_a_process", "P-16"},
      {"leaves_a_thread", "P-16"},   {"fast_math", "P-17"},          {"leaks", "P-18"},
      {"hangs_at_load", "P-19"},     {"hangs_in_entry", "P-19"},     {"hangs_in_init", "P-19"},
      {"hangs_in_create", "P-19"},   {"hangs_in_deinit", "P-19"},    {"behaves_well", ""},
  };
  for (const auto& [name, rule] : kRows) table.row(name, rule, rule_of(fixture_folder(name)));
}

void places(Table& table) {
  const auto in = [](auto fill) {
    const Scratch scratch;
    fill(scratch);
    return rule_of(scratch.path());
  };
  table.row("a folder that anybody may write", "P-21", in([](const Scratch& s) {
              fs::copy(fixture("good"), s.path("x.attune.so"));
              fs::permissions(s.path(), fs::perms::others_write, fs::perm_options::add);
            }));
  table.row("a file that anybody may write", "P-21", in([](const Scratch& s) {
              fs::copy(fixture("good"), s.path("x.attune.so"));
              fs::permissions(s.path("x.attune.so"), fs::perms::others_write, fs::perm_options::add);
            }));
  table.row("two files of one id", "P-20", in([](const Scratch& s) {
              spill(s.path("a.attune.so"), slurp(fixture("good")));
              spill(s.path("b.attune.so"), slurp(fixture("good")) + "x");
            }));
  table.row("a folder named like a plugin", "P-02", in([](const Scratch& s) { s.folder("x.attune.so"); }));
  table.row("a pipe named like a plugin", "P-02", in([](const Scratch& s) { ASSERT_EQ(mkfifo(s.path("x.attune.so").c_str(), 0600), 0); }));
  table.row("a link to nothing", "P-02", in([](const Scratch& s) { fs::create_symlink("/there/is/none", s.path("x.attune.so")); }));
  table.row("a link to itself", "P-02", in([](const Scratch& s) { fs::create_symlink("x.attune.so", s.path("x.attune.so")); }));
  table.row("a link to an endless device", "P-02", in([](const Scratch& s) { fs::create_symlink("/dev/zero", s.path("x.attune.so")); }));
  table.row("2 TiB of nothing", "P-02", in([](const Scratch& s) {
              spill(s.path("x.attune.so"), "");
              fs::resize_file(s.path("x.attune.so"), uintmax_t{2} << 40);
            }));
}

TEST(Hostile, EveryFileEndsInItsRuleAndTheHostGoesOn) {
  const std::string good = slurp(fixture("good"));
  ASSERT_EQ(rule_of_bytes(good), "");
  Table table;

  damaged_headers(table, good);
  damaged_notes(table, good);
  wrong_metadata(table, good);
  damaged_symbols(table, good);
  compiled(table);
  places(table);

  EXPECT_GE(table.rows(), 60u);
  const Registry registry({{fixture_folder("good"), "--plugin-path", true}});
  Loader loader(registry, "", [](auto, int, auto) {});
  EXPECT_NO_THROW(loader.make<attune_dataset>("dataset/1", "good"));
}

TEST(Hostile, AFileCutAnywhereIsRefused) {
  const std::string good = slurp(fixture("good"));
  std::map<std::string, int> found;
  for (size_t size = 0; size < good.size(); size += 64) ++found[rule_of_bytes(good.substr(0, size))];
  ++found[rule_of_bytes(good.substr(0, good.size() - 1))];

  EXPECT_EQ(found.size(), 1u);
  EXPECT_EQ(found["P-02"], static_cast<int>((good.size() + 63) / 64 + 1));
}

TEST(Hostile, NoByteOfAFileCrashesTheHost) {
  const std::string good = slurp(fixture("good"));
  const Scratch scratch;
  size_t tried = 0;
  for (size_t at = 0; at < good.size(); at += 7) {
    for (const char value : {'\0', '\x7f', '\xff'}) {
      if (good[at] == value) continue;
      spill(scratch.path("x.attune.so"), with(good, at, value));
      const Registry registry({{scratch.path(), "--plugin-path", true}});
      for (const auto& plugin : registry.plugins()) check_file(*plugin, registry.host());
      ++tried;
    }
  }
  EXPECT_GT(tried, 1000u);
}

}  // namespace
}  // namespace attune
