// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/elf_facts.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>

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

struct Elf {
  Bytes file;
  Elf64_Ehdr header;
  Table<Elf64_Phdr> segments;

  explicit Elf(Bytes bytes) : file(bytes) {
    constexpr auto kWanted = "a 64-bit ELF shared library for x86_64 or aarch64";
    const auto read = load<Elf64_Ehdr>(file, 0);
    if (!read) fail(kWanted, std::to_string(file.size()) + " bytes");
    header = *read;
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
      fail(kWanted, "a file of another format");
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
    // Two segments may show one note.
    const auto same = [&](Bytes other) { return other.data() == payload->data(); };
    if (ours && std::none_of(found.begin(), found.end(), same)) found.push_back(*payload);
    offset = round_up(payload_at + note->n_descsz);
  }
}

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

MappedFile::MappedFile(const std::string& path) {
  const auto give_up = [&](const char* what) {
    throw Error(path + ": cannot " + what + ": " + std::generic_category().message(errno),
                ATTUNE_E_IO);
  };
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) give_up("open");
  struct stat status {};
  const bool regular = fstat(file, &status) == 0 && S_ISREG(status.st_mode);
  void* data = nullptr;
  if (regular && status.st_size > 0) {
    data = mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file, 0);
  }
  close(file);
  if (!regular) throw Error(path + ": expected a regular file", ATTUNE_E_IO);
  if (data == MAP_FAILED) give_up("map");
  world_writable_ = (status.st_mode & S_IWOTH) != 0;
  if (data) bytes_ = {static_cast<const std::byte*>(data), static_cast<size_t>(status.st_size)};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

std::string_view this_machine() {
#if defined(__x86_64__)
  return "x86_64";
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "";
#endif
}

std::string_view read_note(Bytes file) {
  const Elf elf(file);
  if (machine_name(elf.header.e_machine) != this_machine()) {
    fail("a shared library for " + std::string(this_machine()),
         "one for " + std::string(machine_name(elf.header.e_machine)));
  }
  std::vector<Bytes> found;
  for (size_t i = 0; i < elf.segments.size(); ++i) {
    const Elf64_Phdr segment = elf.segments[i];
    if (segment.p_type != PT_NOTE) continue;
    const auto notes = slice(file, segment.p_offset, segment.p_filesz);
    if (!notes) fail("notes within the file", "a truncated file");
    find_notes(*notes, segment.p_align, found);
  }
  if (found.empty() && elf.header.e_shentsize == sizeof(Elf64_Shdr)) {
    const auto table =
        slice(file, elf.header.e_shoff, uint64_t{elf.header.e_shnum} * sizeof(Elf64_Shdr));
    const Table<Elf64_Shdr> sections{table.value_or(Bytes())};
    for (size_t i = 0; i < sections.size(); ++i) {
      const Elf64_Shdr section = sections[i];
      if (section.sh_type != SHT_NOTE) continue;
      if (const auto notes = slice(file, section.sh_offset, section.sh_size)) {
        find_notes(*notes, section.sh_addralign, found);
      }
    }
  }
  if (found.empty()) fail("a note with owner ATTUNE and type 1, which holds plugin.toml", "none");
  if (found.size() > 1) fail("one note with owner ATTUNE and type 1", std::to_string(found.size()));
  return {reinterpret_cast<const char*>(found[0].data()), found[0].size()};
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
