// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace attune {

/// SHA-256 of what is added, in lower-case hex.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Sha256& add(std::string_view bytes);
  /// Adds the length first, so that ("ab", "c") and ("a", "bc") differ.
  Sha256& add_sized(std::string_view bytes);
  /// Ends the digest; call once.
  std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256(std::string_view bytes);

/// Of a file's bytes, read now.
std::string sha256_now(const std::filesystem::path& file);

/// The same, remembered in this process until the file's inode, size or times differ. [any]
std::string sha256_file(const std::filesystem::path& file);

/// Bytes of a file for which to look up what is known of it beats reading it.
inline constexpr uintmax_t kLargeFile = 16 << 20;

/// The same. Those of large files are kept in the JSON file `store` and taken from there while size,
/// inode and times of a file are the same. For inputs of a run, not for what must be proven.
std::string sha256_known(const std::filesystem::path& file, const std::filesystem::path& store);

/// The same, of the bytes as they are now. [any]
std::string sha256_now(const std::filesystem::path& file);

/// Of a file, or of the names and bytes of every file below a folder. `store` as above; empty: none.
std::string sha256_tree(const std::filesystem::path& path,
                        const std::filesystem::path& store = {});

}  // namespace attune
