// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
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

/// A file's bytes, mapped read-only. Throws Error where it cannot be opened.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  /// Anyone on the machine may write to it.
  bool world_writable() const { return world_writable_; }

 private:
  std::span<const std::byte> bytes_;
  bool world_writable_ = false;
};

/// Plugin metadata may not be longer.
inline constexpr size_t kMaxNote = 64 * 1024;

/// The payload of the note with owner "ATTUNE" and type 1. Looks at the program headers, then at
/// the sections; touches no symbol. Borrowed from `file`. Throws Error "expected ..., found ..."
/// where the file is no shared library for this machine, or carries no such note, two of them, or
/// one longer than kMaxNote.
std::string_view read_note(std::span<const std::byte> file);

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
