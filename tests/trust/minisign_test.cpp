// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/trust/minisign.h"

#include <gtest/gtest.h>

#include "attune/error.h"
#include "faults/process.h"
#include "kernel/host/trust/base64.h"
#include "kernel/host/trust/blake2b.h"

namespace attune {
namespace {

using namespace attune::testing;

/// Made by the program minisign; golden/make.sh is the recipe.
std::string golden(const std::string& name) {
  return read_file(fs::path(ATTUNE_SOURCE_DIR) / "tests/trust/golden" / name);
}

std::string hex(const std::array<uint8_t, 32>& bytes) {
  std::string text;
  for (const uint8_t byte : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", byte);
    text += two;
  }
  return text;
}

std::string message_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Blake2b, HasTheDigestsOfTheReference) {
  // hashlib.blake2b(..., digest_size=32)
  EXPECT_EQ(hex(blake2b_256("abc")),
            "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  EXPECT_EQ(hex(blake2b_256(std::string(129, 'a'))),
            "2f64744a6de0d2c0b56e64cf6e29a5aaa255010d415d51c75ccc82f73dccd865");
}

TEST(Base64, HasOneEncoding) {
  EXPECT_EQ(from_base64("TWFu"), "Man");
  EXPECT_EQ(from_base64("TWE="), "Ma");
  EXPECT_EQ(from_base64("TQ=="), "M");
  for (const char* wrong : {"TQ=", "TR==", "T===", "TQ==TQ==", "T Q=", "TWE", "=TWE"})
    EXPECT_FALSE(from_base64(wrong)) << wrong;
}

TEST(Minisign, ItsSignaturesVerify) {
  const std::string bytes = golden("signed.txt");
  for (const auto& [signature, key, comment] :
       {std::tuple{"prehashed.minisig", "plain.pub", "prehashed by minisign"},
        std::tuple{"legacy.minisig", "plain.pub", "legacy by minisign"},
        std::tuple{"encrypted.minisig", "encrypted.pub", "by an encrypted key"}}) {
    const Signature parsed = parse_signature(golden(signature));
    EXPECT_EQ(mismatch(parsed, parse_public_key(golden(key)), bytes), "") << signature;
    EXPECT_EQ(parsed.trusted_comment, comment);
  }
}

TEST(Minisign, NoBitOfAFileOrCommentMayChange) {
  const PublicKey key = parse_public_key(golden("plain.pub"));
  for (const char* name : {"prehashed.minisig", "legacy.minisig"}) {
    Signature signature = parse_signature(golden(name));
    std::string bytes = golden("signed.txt");
    bytes[3] ^= 1;
    EXPECT_EQ(mismatch(signature, key, bytes), "a signature over other bytes");
    signature.trusted_comment += " ";
    EXPECT_EQ(mismatch(signature, key, golden("signed.txt")),
              "a trusted comment that was changed");
  }
  const Signature other = parse_signature(golden("encrypted.minisig"));
  EXPECT_EQ(mismatch(other, key, golden("signed.txt")), "a signature by key " + text_of(other.id));
}

TEST(Minisign, ItsSecretKeysSign) {
  const auto no_password = []() -> std::string { throw Error("no password was needed"); };
  const SecretKey plain = parse_secret_key(golden("plain.key"), no_password);
  EXPECT_EQ(public_key_text(plain.public_key()), golden("plain.pub"));

  const Signature made = parse_signature(sign(plain, "bytes", "a comment"));
  EXPECT_EQ(mismatch(made, parse_public_key(golden("plain.pub")), "bytes"), "");
}

TEST(Minisign, ReadsEncryptedKeysWithTheirPassword) {
  const SecretKey key =
      parse_secret_key(golden("encrypted.key"), [] { return std::string("correct horse"); });

  EXPECT_EQ(public_key_text(key.public_key()), golden("encrypted.pub"));
}

TEST(Minisign, KeysComeBackAsTheyWereWritten) {
  const SecretKey key = new_secret_key();
  const SecretKey again = parse_secret_key(secret_key_text(key, ""), [] { return std::string(); });

  EXPECT_EQ(again.id, key.id);
  EXPECT_EQ(again.key, key.key);
  EXPECT_EQ(parse_public_key(public_key_text(key.public_key())).key, key.public_key().key);
}

TEST(Minisign, SaysWhatATextIsNot) {
  EXPECT_EQ(message_of([] { parse_signature("untrusted comment: x\nAAAA\n"); }),
            "expected the four lines of a minisign signature, found 2 other lines");
  EXPECT_EQ(message_of([] { parse_public_key("AAAA"); }),
            "expected a public key of minisign of 42 bytes, found 3");
  EXPECT_EQ(message_of([] { parse_public_key("nonsense!"); }),
            "expected a public key of minisign in base64, found \"nonsense!\"");
  EXPECT_NE(message_of([] { parse_signature(std::string(1 << 20, 'x')); }), "");
}

}  // namespace
}  // namespace attune
