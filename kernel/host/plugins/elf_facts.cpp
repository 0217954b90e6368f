// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/elf_facts.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace attune {
namespace {

using Bytes = std::span<const std::byte>;

[[noreturn]] void fail(const std::string& expected, const std::string& found) {
  throw FormatError(expected, found);
}

/// Copies a T out of `bytes`: no alignment is assumed.
template <typename T>
std::optional<T> load(Bytes bytes, uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

std::optional<Bytes> slice(Bytes bytes, uint64_t offset, uint64_t size) {
  if (offset > bytes.size() || bytes.size() - offset < size) return std::nullopt;
  return bytes.subspan(offset, size);
}

/// An array of T in the file; empty where it does not lie within it.
template <typename T>
struct Table {
  Bytes bytes;
  size_t size() const { return bytes.size() / sizeof(T); }
  T operator[](size_t i) const { return *load<T>(bytes, i * sizeof(T)); }
};

std::string_view machine_name(uint16_t machine) {
  if (machine == EM_X86_64) return "x86_64";
  if (machine == EM_AARCH64) return "aarch64";
  return "";
}

/// The header of a shared library; the file has `size` bytes.
Elf64_Ehdr checked_header(std::optional<Elf64_Ehdr> read, uint64_t size) {
  constexpr auto kWanted = "a 64-bit ELF shared library for x86_64 or aarch64";
  if (!read) fail(kWanted, std::to_string(size) + " bytes");
  const Elf64_Ehdr& header = *read;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) fail(kWanted, "a file of another format");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
    fail(kWanted, "an ELF file that is not 64-bit little-endian");
  }
  if (header.e_type != ET_DYN) fail(kWanted, "ELF type " + std::to_string(header.e_type));
  if (machine_name(header.e_machine).empty()) {
    fail(kWanted, "ELF machine " + std::to_string(header.e_machine));
  }
  if (header.e_phentsize != sizeof(Elf64_Phdr)) {
    fail("program headers of 56 bytes", std::to_string(header.e_phentsize));
  }
  // The section headers end the file; nothing that is loaded needs them, but a cut file lacks them.
  const uint64_t sections = uint64_t{header.e_shnum} * header.e_shentsize;
  if (header.e_shoff > size || size - header.e_shoff < sections) {
    fail("section headers within the file", "a truncated file");
  }
  return header;
}

struct Elf {
  Bytes file;
  Elf64_Ehdr header;
  Table<Elf64_Phdr> segments;

  explicit Elf(Bytes bytes)
      : file(bytes), header(checked_header(load<Elf64_Ehdr>(bytes, 0), bytes.size())) {
    const auto table = slice(file, header.e_phoff, uint64_t{header.e_phnum} * sizeof(Elf64_Phdr));
    if (!table) fail("program headers within the file", "a truncated file");
    segments = {*table};
  }

  /// From a loaded address to the rest of its segment in the file.
  std::optional<Bytes> at(uint64_t address) const {
    for (size_t i = 0; i < segments.size(); ++i) {
      const Elf64_Phdr segment = segments[i];
      if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
      const uint64_t within = address - segment.p_vaddr;
      if (within >= segment.p_filesz) continue;
      const auto whole = slice(file, segment.p_offset, segment.p_filesz);
      if (!whole) fail("segments within the file", "a truncated file");
      return whole->subspan(within);
    }
    return std::nullopt;
  }

  template <typename T>
  Table<T> table(uint64_t address, uint64_t size) const {
    const auto rest = at(address);
    if (!rest) return {};
    return {rest->first(std::min<uint64_t>(size, rest->size()))};
  }
};

/// Collects the payloads of our notes in one note segment or section.
void find_notes(Bytes notes, uint64_t alignment, std::vector<Bytes>& found) {
  const uint64_t align = alignment == 8 ? 8 : 4;
  const auto round_up = [align](uint64_t n) { return (n + align - 1) / align * align; };
  uint64_t offset = 0;
  while (const auto note = load<Elf64_Nhdr>(notes, offset)) {
    const uint64_t name_at = offset + sizeof(Elf64_Nhdr);
    const uint64_t payload_at = round_up(name_at + note->n_namesz);
    const auto name = slice(notes, name_at, note->n_namesz);
    if (!name) return;
    const bool ours =
        note->n_type == 1 && name->size() == 7 && std::memcmp(name->data(), "ATTUNE", 7) == 0;
    if (ours && note->n_descsz > kMaxNote) {
      fail("metadata of at most " + std::to_string(kMaxNote) + " bytes",
           std::to_string(note->n_descsz));
    }
    const auto payload = slice(notes, payload_at, note->n_descsz);
    if (!payload) {
      if (ours) fail("metadata within the file", "a truncated note");
      return;
    }
    if (ours) found.push_back(*payload);
    offset = round_up(payload_at + note->n_descsz);
  }
}

Bytes bytes_of(const std::vector<std::byte>& read) { return {read.data(), read.size()}; }

struct Dynamic {
  uint64_t strings = 0, strings_size = 0, symbols = 0, hash = 0, gnu_hash = 0;
  uint64_t rela = 0, rela_size = 0, plt = 0, plt_size = 0;
  std::vector<uint64_t> needed, run_paths;
  std::optional<uint64_t> soname;
};

/// The names in a file. A file may point at one long name from every symbol, so their sum is
/// bounded.
class Names {
 public:
  explicit Names(Bytes strings) : strings_(strings) {}

  std::string at(uint64_t offset) {
    if (offset >= strings_.size())
      fail("names within the string table", "offset " + std::to_string(offset));
    const auto* begin = reinterpret_cast<const char*>(strings_.data()) + offset;
    const size_t size = strnlen(begin, strings_.size() - offset);
    if (size == strings_.size() - offset) fail("names that end", "a truncated string table");
    if (size > left_) fail("names of at most 64 MiB together", "more");
    left_ -= size;
    return std::string(begin, size);
  }

 private:
  Bytes strings_;
  size_t left_ = size_t{64} << 20;
};

/// The GNU hash table covers defined symbols: returns one past the last, 0 if there is no table.
uint64_t hashed_symbols(const Elf& elf, uint64_t address) {
  const auto rest = elf.at(address);
  if (!rest) return 0;
  const auto buckets = load<uint32_t>(*rest, 0), first = load<uint32_t>(*rest, 4),
             bloom = load<uint32_t>(*rest, 8);
  if (!buckets || !first || !bloom) fail("a whole symbol hash table", "a truncated one");
  const uint64_t buckets_at = 16 + uint64_t{*bloom} * 8;
  const auto heads = slice(*rest, buckets_at, uint64_t{*buckets} * 4);
  if (!heads) fail("a whole symbol hash table", "a truncated one");
  uint32_t last = 0;
  for (uint32_t i = 0; i < *buckets; ++i)
    last = std::max(last, *load<uint32_t>(*heads, uint64_t{i} * 4));
  if (last < *first) return *first;
  const uint64_t chain = buckets_at + uint64_t{*buckets} * 4;
  for (uint64_t i = last;; ++i) {
    const auto link = load<uint32_t>(*rest, chain + (i - *first) * 4);
    if (!link) fail("a whole symbol hash table", "a chain without end");
    if (*link & 1) return i + 1;
  }
}

/// How many symbols matter to the loader: those that the hash tables cover and those that
/// relocations name.
uint64_t count_symbols(const Elf& elf, const Dynamic& dynamic) {
  uint64_t count = 0;
  if (dynamic.hash) {
    if (const auto rest = elf.at(dynamic.hash)) count = load<uint32_t>(*rest, 4).value_or(0);
  }
  if (dynamic.gnu_hash) count = std::max(count, hashed_symbols(elf, dynamic.gnu_hash));
  const std::pair<uint64_t, uint64_t> relocations[] = {{dynamic.rela, dynamic.rela_size},
                                                       {dynamic.plt, dynamic.plt_size}};
  for (const auto& [address, size] : relocations) {
    if (!address) continue;
    const auto table = elf.table<Elf64_Rela>(address, size);
    for (size_t i = 0; i < table.size(); ++i)
      count = std::max<uint64_t>(count, ELF64_R_SYM(table[i].r_info) + 1);
  }
  return count;
}

void read_symbols(const Elf& elf, const Dynamic& dynamic, Names& names, ElfFacts& facts) {
  const uint64_t count = count_symbols(elf, dynamic);
  if (count > elf.file.size() / sizeof(Elf64_Sym)) {
    fail("as many symbols as fit the file", std::to_string(count));
  }
  const auto symbols = elf.table<Elf64_Sym>(dynamic.symbols, count * sizeof(Elf64_Sym));
  if (symbols.size() < count) fail("a symbol table within the file", "a truncated one");
  for (size_t i = 1; i < symbols.size(); ++i) {
    const Elf64_Sym symbol = symbols[i];
    if (ELF64_ST_BIND(symbol.st_info) == STB_LOCAL) continue;
    if (symbol.st_shndx == SHN_UNDEF) {
      facts.undefined.push_back(names.at(symbol.st_name));
    } else if (const auto seen = ELF64_ST_VISIBILITY(symbol.st_other);
               seen == STV_DEFAULT || seen == STV_PROTECTED) {
      facts.defined.push_back(names.at(symbol.st_name));
    }
  }
}

Dynamic read_dynamic(Table<Elf64_Dyn> entries, ElfFacts& facts) {
  Dynamic dynamic;
  for (size_t i = 0; i < entries.size(); ++i) {
    const Elf64_Dyn entry = entries[i];
    const uint64_t value = entry.d_un.d_val;
    switch (entry.d_tag) {
      case DT_NULL:
        return dynamic;
      case DT_NEEDED:
        dynamic.needed.push_back(value);
        break;
      case DT_SONAME:
        dynamic.soname = value;
        break;
      case DT_RPATH:
      case DT_RUNPATH:
        dynamic.run_paths.push_back(value);
        break;
      case DT_STRTAB:
        dynamic.strings = value;
        break;
      case DT_STRSZ:
        dynamic.strings_size = value;
        break;
      case DT_SYMTAB:
        dynamic.symbols = value;
        break;
      case DT_HASH:
        dynamic.hash = value;
        break;
      case DT_GNU_HASH:
        dynamic.gnu_hash = value;
        break;
      case DT_RELA:
        dynamic.rela = value;
        break;
      case DT_RELASZ:
        dynamic.rela_size = value;
        break;
      case DT_JMPREL:
        dynamic.plt = value;
        break;
      case DT_PLTRELSZ:
        dynamic.plt_size = value;
        break;
      case DT_TEXTREL:
        facts.text_relocations = true;
        break;
      case DT_FLAGS:
        facts.static_tls |= (value & DF_STATIC_TLS) != 0;
        facts.text_relocations |= (value & DF_TEXTREL) != 0;
        break;
      default:
        break;
    }
  }
  return dynamic;
}

}  // namespace

std::string_view this_machine() {
#if defined(__x86_64__)
  return "x86_64";
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "";
#endif
}

std::string read_note(const ByteSource& file) {
  const auto first = file.read(0, std::min<uint64_t>(sizeof(Elf64_Ehdr), file.size()));
  const Elf64_Ehdr header = checked_header(load<Elf64_Ehdr>(bytes_of(first), 0), file.size());
  if (machine_name(header.e_machine) != this_machine()) {
    fail("a shared library for " + std::string(this_machine()),
         "one for " + std::string(machine_name(header.e_machine)));
  }
  std::vector<std::string> notes;
  const auto take = [&](uint64_t offset, uint64_t size, uint64_t alignment) {
    if (offset > file.size() || file.size() - offset < size) {
      fail("notes within the file", "a truncated file");
    }
    if (size > kMostNotes) {
      fail("notes of at most " + std::to_string(kMostNotes) + " bytes", std::to_string(size));
    }
    const auto segment = file.read(offset, size);
    std::vector<Bytes> ours;
    find_notes(bytes_of(segment), alignment, ours);
    for (const Bytes note : ours) {
      // Two segments may show one note.
      std::string text(reinterpret_cast<const char*>(note.data()), note.size());
      if (std::find(notes.begin(), notes.end(), text) == notes.end()) notes.push_back(text);
    }
  };
  const auto headers = [&](uint64_t offset, uint64_t count, uint64_t size) {
    if (offset > file.size() || file.size() - offset < count * size) {
      fail("headers within the file", "a truncated file");
    }
    return file.read(offset, count * size);
  };
  const auto segments = headers(header.e_phoff, header.e_phnum, sizeof(Elf64_Phdr));
  const Table<Elf64_Phdr> segment_table{bytes_of(segments)};
  for (size_t i = 0; i < segment_table.size(); ++i) {
    const Elf64_Phdr segment = segment_table[i];
    if (segment.p_type == PT_NOTE) take(segment.p_offset, segment.p_filesz, segment.p_align);
  }
  if (notes.empty() && header.e_shentsize == sizeof(Elf64_Shdr)) {
    const auto sections = headers(header.e_shoff, header.e_shnum, sizeof(Elf64_Shdr));
    const Table<Elf64_Shdr> section_table{bytes_of(sections)};
    for (size_t i = 0; i < section_table.size(); ++i) {
      const Elf64_Shdr section = section_table[i];
      if (section.sh_type == SHT_NOTE)
        take(section.sh_offset, section.sh_size, section.sh_addralign);
    }
  }
  if (notes.empty()) fail("a note with owner ATTUNE and type 1, which holds plugin.toml", "none");
  if (notes.size() > 1) fail("one note with owner ATTUNE and type 1", std::to_string(notes.size()));
  return notes[0];
}

std::string read_note(Bytes file) {
  struct Memory final : ByteSource {
    explicit Memory(Bytes all) : bytes(all) {}
    uint64_t size() const override { return bytes.size(); }
    std::vector<std::byte> read(uint64_t offset, uint64_t size) const override {
      const Bytes part = bytes.subspan(offset, size);
      return {part.begin(), part.end()};
    }
    Bytes bytes;
  };
  return read_note(Memory(file));
}

ElfFacts read_elf(Bytes file) {
  const Elf elf(file);
  ElfFacts facts;
  facts.machine = machine_name(elf.header.e_machine);
  // Without this header the loader takes the stack to be executable.
  facts.executable_stack = true;
  std::optional<Elf64_Phdr> dynamic_segment;
  for (size_t i = 0; i < elf.segments.size(); ++i) {
    const Elf64_Phdr segment = elf.segments[i];
    if (segment.p_type == PT_GNU_STACK) facts.executable_stack = (segment.p_flags & PF_X) != 0;
    if (segment.p_type == PT_DYNAMIC) dynamic_segment = segment;
  }
  if (!dynamic_segment) fail("a shared library", "an ELF file without a dynamic section");
  const auto entries = elf.table<Elf64_Dyn>(dynamic_segment->p_vaddr, dynamic_segment->p_filesz);
  if (entries.size() == 0) fail("a dynamic section within the file", "a truncated file");
  const Dynamic dynamic = read_dynamic(entries, facts);
  Names names(elf.table<char>(dynamic.strings, dynamic.strings_size).bytes);

  for (const uint64_t offset : dynamic.needed) facts.needed.push_back(names.at(offset));
  if (dynamic.soname) facts.soname = names.at(*dynamic.soname);
  for (const uint64_t offset : dynamic.run_paths) {
    const std::string folders = names.at(offset);
    for (size_t begin = 0; begin <= folders.size();) {
      const size_t end = std::min(folders.find(':', begin), folders.size());
      facts.run_paths.push_back(folders.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  read_symbols(elf, dynamic, names, facts);
  return facts;
}

}  // namespace attune
