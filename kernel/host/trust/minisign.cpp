// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/trust/minisign.h"

#include <openssl/evp.h>

#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "attune/error.h"
#include "kernel/host/trust/base64.h"

namespace attune {
namespace {

constexpr std::string_view kUntrusted = "untrusted comment: ", kTrusted = "trusted comment: ";
constexpr size_t kMostText = 64 * 1024;

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

[[noreturn]] void fail(const std::string& expected, const std::string& found) {
  throw Error("expected " + expected + ", found " + found);
}

const uint8_t* data(std::string_view bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}

/// Lines without their ends; at most `most` of them.
std::vector<std::string_view> lines_of(std::string_view text, size_t most) {
  if (text.size() > kMostText) fail("at most 64 KiB of text", std::to_string(text.size()) + " bytes");
  std::vector<std::string_view> lines;
  while (!text.empty() && lines.size() < most) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    if (lines.back().ends_with('\r')) lines.back().remove_suffix(1);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string decoded(std::string_view line, size_t size, const std::string& what) {
  const auto bytes = from_base64(line);
  if (!bytes) fail(what + " in base64", "\"" + std::string(line.substr(0, 80)) + "\"");
  if (bytes->size() != size)
    fail(what + " of " + std::to_string(size) + " bytes", std::to_string(bytes->size()));
  return *bytes;
}

template <size_t kSize>
void take(std::array<uint8_t, kSize>& into, std::string_view bytes, size_t at) {
  std::memcpy(into.data(), bytes.data() + at, kSize);
}

std::string blake2b_512(std::string_view bytes) {
  std::string digest(64, '\0');
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &size,
                 EVP_blake2b512(), nullptr) != 1 ||
      size != digest.size())
    throw Error("OpenSSL has no BLAKE2b-512 here", ATTUNE_E_INTERNAL);
  return digest;
}

std::array<uint8_t, 64> ed25519(const SecretKey& secret, std::string_view bytes) {
  const Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret.key.data(), 32),
                &EVP_PKEY_free);
  const Context context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  std::array<uint8_t, 64> made{};
  size_t size = made.size();
  if (!key || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), made.data(), &size, data(bytes), bytes.size()) != 1)
    throw Error("OpenSSL made no Ed25519 signature", ATTUNE_E_INTERNAL);
  return made;
}

bool fits(const PublicKey& of, const std::array<uint8_t, 64>& signature, std::string_view bytes) {
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, of.key.data(), 32),
                &EVP_PKEY_free);
  const Context context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  return key && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), data(bytes),
                          bytes.size()) == 1;
}

/// What the second signature covers.
std::string with_comment(const std::array<uint8_t, 64>& signature, const std::string& comment) {
  return std::string(signature.begin(), signature.end()) + comment;
}

}  // namespace

std::string text_of(const KeyId& id) {
  std::string text;
  for (auto byte = id.rbegin(); byte != id.rend(); ++byte) {
    char two[3];
    std::snprintf(two, sizeof two, "%02X", *byte);
    text += two;
  }
  return text;
}

PublicKey parse_public_key(std::string_view text) {
  const auto lines = lines_of(text, 2);
  const bool file = lines.size() == 2 && lines[0].starts_with(kUntrusted);
  if (lines.empty() || (!file && lines[0].starts_with(kUntrusted)))
    fail("a public key of minisign", "no second line");
  const std::string bytes = decoded(file ? lines[1] : lines[0], 42, "a public key of minisign");
  if (!bytes.starts_with("Ed")) fail("an Ed25519 key", "another kind");
  PublicKey key;
  take(key.id, bytes, 2);
  take(key.key, bytes, 10);
  return key;
}

std::string public_key_text(const PublicKey& key) {
  std::vector<uint8_t> bytes = {'E', 'd'};
  bytes.insert(bytes.end(), key.id.begin(), key.id.end());
  bytes.insert(bytes.end(), key.key.begin(), key.key.end());
  return std::string(kUntrusted) + "minisign public key " + text_of(key.id) + "\n" + base64(bytes) +
         "\n";
}

Signature parse_signature(std::string_view text) {
  const auto lines = lines_of(text, 4);
  if (lines.size() < 4 || !lines[0].starts_with(kUntrusted) || !lines[2].starts_with(kTrusted))
    fail("the four lines of a minisign signature", std::to_string(lines.size()) + " other lines");
  const std::string bytes = decoded(lines[1], 74, "a signature");
  Signature made;
  const std::string algorithm = bytes.substr(0, 2);
  if (algorithm != "ED" && algorithm != "Ed") fail("the algorithm ED or Ed", "another one");
  made.prehashed = algorithm == "ED";
  take(made.id, bytes, 2);
  take(made.signature, bytes, 10);
  made.trusted_comment = lines[2].substr(kTrusted.size());
  take(made.comment_signature, decoded(lines[3], 64, "a signature of the comment"), 0);
  return made;
}

std::string sign(const SecretKey& key, std::string_view bytes, const std::string& trusted_comment) {
  if (trusted_comment.find_first_of("\r\n") != trusted_comment.npos)
    fail("a comment of one line", "several");
  const auto signature = ed25519(key, blake2b_512(bytes));
  std::vector<uint8_t> packed = {'E', 'D'};
  packed.insert(packed.end(), key.id.begin(), key.id.end());
  packed.insert(packed.end(), signature.begin(), signature.end());
  return std::string(kUntrusted) + "signature from attune key " + text_of(key.id) + "\n" +
         base64(packed) + "\n" + std::string(kTrusted) + trusted_comment + "\n" +
         base64(ed25519(key, with_comment(signature, trusted_comment))) + "\n";
}

std::string mismatch(const Signature& signature, const PublicKey& key, std::string_view bytes) {
  if (signature.id != key.id) return "a signature by key " + text_of(signature.id);
  const bool whole = signature.prehashed ? fits(key, signature.signature, blake2b_512(bytes))
                                         : fits(key, signature.signature, bytes);
  if (!whole) return "a signature over other bytes";
  if (!fits(key, signature.comment_signature,
            with_comment(signature.signature, signature.trusted_comment)))
    return "a trusted comment that was changed";
  return "";
}

}  // namespace attune
