// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attune/error.h"

/// What a plugin's file says of itself, read without running any of it. Every offset is checked
/// against the file's size, so hostile bytes end in an Error, never in a crash.
namespace attune {

/// A file that is not what it should be.
class FormatError : public Error {
 public:
  FormatError(const std::string& expected, const std::string& found)
      : Error("expected " + expected + ", found " + found), expected(expected), found(found) {}
  const std::string expected, found;
};

/// Plugin metadata may not be longer.
inline constexpr size_t kMaxNote = 64 * 1024;

/// A note segment may not be longer.
inline constexpr size_t kMostNotes = 1024 * 1024;

/// A file of which only parts are read.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual uint64_t size() const = 0;
  /// REQUIRES: offset + size <= size(). Throws Error where reading fails.
  virtual std::vector<std::byte> read(uint64_t offset, uint64_t size) const = 0;
};

/// The payload of the note with owner "ATTUNE" and type 1. Looks at the program headers, then at
/// the sections; touches no symbol. Throws Error "expected ..., found ..." where the file is no
/// shared library for this machine, or carries no such note, two that differ, or one longer than
/// kMaxNote.
std::string read_note(const ByteSource& file);
std::string read_note(std::span<const std::byte> file);

/// What the dynamic loader would see.
struct ElfFacts {
  std::string machine;  ///< "x86_64" | "aarch64"
  std::string soname;
  std::vector<std::string> needed;
  std::vector<std::string> run_paths;  ///< of RPATH and RUNPATH, one folder each
  bool static_tls = false;
  bool text_relocations = false;
  bool executable_stack = false;
  std::vector<std::string> defined;    ///< global and weak symbols that others can see
  std::vector<std::string> undefined;  ///< symbols that it takes from others
};

/// Throws FormatError.
ElfFacts read_elf(std::span<const std::byte> file);

/// The machine that this process runs on, in the words of ElfFacts.
std::string_view this_machine();

}  // namespace attune
