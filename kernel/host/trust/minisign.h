// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

/// Signatures as the program `minisign` writes and reads them: Ed25519 over the file's BLAKE2b-512
/// ("ED"), or, in old signatures, over the file itself ("Ed"). Every `parse` throws Error saying
/// what was expected and found.
namespace attune {

/// Eight bytes; shown as minisign shows it, in 16 hex digits.
using KeyId = std::array<uint8_t, 8>;
std::string text_of(const KeyId& id);

struct PublicKey {
  KeyId id{};
  std::array<uint8_t, 32> key{};
};
/// A key file, or its second line alone.
PublicKey parse_public_key(std::string_view text);
std::string public_key_text(const PublicKey& key);

struct SecretKey {
  KeyId id{};
  std::array<uint8_t, 64> key{};  ///< seed, public key
  PublicKey public_key() const;
};
SecretKey new_secret_key();
/// `password` is asked where the key is encrypted. Throws Error where it is wrong.
SecretKey parse_secret_key(std::string_view text, const std::function<std::string()>& password);
/// Encrypted by scrypt with minisign's cost (1 GiB of memory, seconds), or in the clear where the
/// password is empty.
std::string secret_key_text(const SecretKey& key, const std::string& password);

struct Signature {
  bool prehashed = true;
  KeyId id{};
  std::array<uint8_t, 64> signature{};
  std::string trusted_comment;
  std::array<uint8_t, 64> comment_signature{};
};
Signature parse_signature(std::string_view text);

/// A signature file over `bytes`. A comment is one line.
std::string sign(const SecretKey& key, std::string_view bytes, const std::string& trusted_comment);

/// "" where the signature is of these bytes and this key; else what does not fit.
std::string mismatch(const Signature& signature, const PublicKey& key, std::string_view bytes);

}  // namespace attune
