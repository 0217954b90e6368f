// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <elf.h>

#include <cstring>
#include <stdexcept>
#include <string>

/// Ways to damage a shared library. Each returns the bytes of another file.
namespace attune::testing {

/// A T in the bytes of a file.
template <typename T>
T at(const std::string& bytes, size_t offset) {
  T value;
  if (offset + sizeof value > bytes.size()) throw std::out_of_range("a damaged file");
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}
template <typename T>
std::string with(std::string bytes, size_t offset, const T& value) {
  if (offset + sizeof value > bytes.size()) throw std::out_of_range("a damaged file");
  std::memcpy(bytes.data() + offset, &value, sizeof value);
  return bytes;
}

/// The header, changed by `change`.
template <typename Change>
std::string header(const std::string& bytes, Change change) {
  auto value = at<Elf64_Ehdr>(bytes, 0);
  change(value);
  return with(bytes, 0, value);
}

/// Every program header of a type, changed.
template <typename Change>
std::string segments(std::string bytes, uint32_t type, Change change) {
  const auto elf = at<Elf64_Ehdr>(bytes, 0);
  for (size_t i = 0; i < elf.e_phnum; ++i) {
    const size_t offset = elf.e_phoff + i * sizeof(Elf64_Phdr);
    auto segment = at<Elf64_Phdr>(bytes, offset);
    if (segment.p_type != type) continue;
    change(segment);
    bytes = with(bytes, offset, segment);
  }
  return bytes;
}

/// Where the note that holds plugin.toml begins.
inline size_t note_at(const std::string& bytes) {
  const size_t name = bytes.find(std::string("ATTUNE\0", 7));
  if (name == bytes.npos || name < sizeof(Elf64_Nhdr)) throw std::out_of_range("no note");
  return name - sizeof(Elf64_Nhdr);
}
template <typename Change>
std::string note(const std::string& bytes, Change change) {
  auto value = at<Elf64_Nhdr>(bytes, note_at(bytes));
  change(value);
  return with(bytes, note_at(bytes), value);
}

/// The metadata replaced by `text`, which must not be longer; blanks fill the rest.
inline std::string metadata(std::string bytes, std::string text) {
  const size_t begin = note_at(bytes);
  const auto old = at<Elf64_Nhdr>(bytes, begin);
  if (text.size() > old.n_descsz) throw std::out_of_range("longer metadata");
  text.resize(old.n_descsz, '\n');
  return bytes.replace(begin + sizeof(Elf64_Nhdr) + 8, text.size(), text);
}
/// The metadata with one word replaced.
inline std::string word(const std::string& bytes, const std::string& from, const std::string& to) {
  const size_t begin = note_at(bytes) + sizeof(Elf64_Nhdr) + 8;
  std::string text = bytes.substr(begin, at<Elf64_Nhdr>(bytes, note_at(bytes)).n_descsz);
  const size_t found = text.find(from);
  if (found == text.npos) throw std::out_of_range("no word " + from);
  text.replace(found, from.size(), to);
  // What is cut off is the end of a comment that the fixture carries for this.
  text.resize(std::min<size_t>(text.size(), at<Elf64_Nhdr>(bytes, note_at(bytes)).n_descsz));
  return metadata(bytes, text);
}

/// Every entry of the dynamic section with a tag, changed to `value`.
inline std::string dynamic(std::string bytes, int64_t tag, uint64_t value) {
  const auto elf = at<Elf64_Ehdr>(bytes, 0);
  for (size_t i = 0; i < elf.e_phnum; ++i) {
    const auto segment = at<Elf64_Phdr>(bytes, elf.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type != PT_DYNAMIC) continue;
    for (size_t offset = segment.p_offset; offset < segment.p_offset + segment.p_filesz; offset += sizeof(Elf64_Dyn)) {
      auto entry = at<Elf64_Dyn>(bytes, offset);
      if (entry.d_tag != tag) continue;
      entry.d_un.d_val = value;
      bytes = with(bytes, offset, entry);
    }
  }
  return bytes;
}
inline uint64_t dynamic_value(const std::string& bytes, int64_t tag) {
  const auto elf = at<Elf64_Ehdr>(bytes, 0);
  for (size_t i = 0; i < elf.e_phnum; ++i) {
    const auto segment = at<Elf64_Phdr>(bytes, elf.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type != PT_DYNAMIC) continue;
    for (size_t offset = segment.p_offset; offset < segment.p_offset + segment.p_filesz; offset += sizeof(Elf64_Dyn)) {
      if (const auto entry = at<Elf64_Dyn>(bytes, offset); entry.d_tag == tag) return entry.d_un.d_val;
    }
  }
  throw std::out_of_range("no such dynamic entry");
}

}  // namespace attune::testing
