// SPDX-License-Identifier: Apache-2.0
// Secret keys of minisign: 158 bytes in base64, the last 104 of them encrypted where there is a password.
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cstring>

#include "attune/error.h"
#include "kernel/host/trust/base64.h"
#include "kernel/host/trust/blake2b.h"
#include "kernel/host/trust/minisign.h"

namespace attune {
namespace {

// libsodium's "sensitive" cost, which minisign takes.
constexpr uint64_t kOperations = 33554432, kMemory = 1073741824;

/// The file's bytes in their order.
struct [[gnu::packed]] Packed {
  char algorithm[2] = {'E', 'd'};
  char kdf[2] = {'S', 'c'};
  char checksum_algorithm[2] = {'B', '2'};
  uint8_t salt[32] = {};
  uint64_t operations = 0, memory = 0;
  struct [[gnu::packed]] {
    uint8_t id[8] = {};
    uint8_t key[64] = {};
    uint8_t checksum[32] = {};
  } hidden;
};
static_assert(sizeof(Packed) == 158);

void checksum(const Packed& packed, uint8_t (&out)[32]) {
  std::string text(packed.algorithm, 2);
  text.append(reinterpret_cast<const char*>(packed.hidden.id), 8 + 64);
  const auto digest = blake2b_256(text);
  std::memcpy(out, digest.data(), digest.size());
}

void random_bytes(uint8_t* out, int size) {
  if (RAND_bytes(out, size) != 1) throw Error("the system gives no random bytes", ATTUNE_E_IO);
}

/// libsodium's choice of scrypt's N, r and p for a cost (pickparams).
struct Cost {
  uint64_t n = 2, r = 8, p = 1;

  Cost(uint64_t operations, uint64_t memory) {
    operations = std::max<uint64_t>(operations, 32768);
    const bool few = operations < memory / 32;
    const uint64_t most = few ? operations / (r * 4) : memory / (r * 128);
    while (n <= most / 2) n *= 2;
    if (!few) p = std::min<uint64_t>(operations / 4 / n, 0x3fffffff) / r;
  }
};

/// Encrypts, or decrypts.
void scramble(Packed& packed, const std::string& password) {
  uint8_t stream[sizeof packed.hidden];
  const Cost cost(packed.operations, packed.memory);
  const uint64_t limit = 2 * kMemory;
  if (packed.memory > kMemory || cost.n > kMemory / 1024 ||
      EVP_PBE_scrypt(password.data(), password.size(), packed.salt, sizeof packed.salt, cost.n,
                     cost.r, cost.p, limit, stream, sizeof stream) != 1) {
    throw Error("the key's password cannot be checked: scrypt needs " +
                    std::to_string(packed.memory >> 20) + " MiB of memory",
                ATTUNE_E_NOMEM);
  }
  auto* const bytes = reinterpret_cast<uint8_t*>(&packed.hidden);
  for (size_t i = 0; i < sizeof stream; ++i) bytes[i] ^= stream[i];
}

}  // namespace

PublicKey SecretKey::public_key() const {
  PublicKey made{.id = id, .key = {}};
  std::memcpy(made.key.data(), key.data() + 32, 32);
  return made;
}

SecretKey new_secret_key() {
  SecretKey made;
  random_bytes(made.id.data(), static_cast<int>(made.id.size()));
  random_bytes(made.key.data(), 32);
  EVP_PKEY* const key =
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, made.key.data(), 32);
  size_t size = 32;
  const bool fine = key && EVP_PKEY_get_raw_public_key(key, made.key.data() + 32, &size) == 1;
  EVP_PKEY_free(key);
  if (!fine) throw Error("OpenSSL makes no Ed25519 keys here", ATTUNE_E_INTERNAL);
  return made;
}

std::string secret_key_text(const SecretKey& key, const std::string& password) {
  Packed packed;
  std::memcpy(packed.hidden.id, key.id.data(), key.id.size());
  std::memcpy(packed.hidden.key, key.key.data(), key.key.size());
  checksum(packed, packed.hidden.checksum);
  if (password.empty()) {
    packed.kdf[0] = packed.kdf[1] = '\0';
  } else {
    random_bytes(packed.salt, sizeof packed.salt);
    packed.operations = kOperations;
    packed.memory = kMemory;
    scramble(packed, password);
  }
  return std::string("untrusted comment: minisign ") + (password.empty() ? "" : "encrypted ") +
         "secret key\n" + base64({reinterpret_cast<const uint8_t*>(&packed), sizeof packed}) + "\n";
}

SecretKey parse_secret_key(std::string_view text, const std::function<std::string()>& password) {
  const size_t first = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(std::min(first + 1, text.size()));
  line = line.substr(0, line.find_first_of("\r\n"));
  const auto bytes = from_base64(line);
  if (!text.starts_with("untrusted comment: ") || !bytes || bytes->size() != sizeof(Packed))
    throw Error("expected a secret key of minisign, found another file");
  Packed packed;
  std::memcpy(&packed, bytes->data(), sizeof packed);
  const std::string kdf(packed.kdf, 2);
  const bool encrypted = kdf == "Sc";
  if (std::string_view(packed.algorithm, 2) != "Ed" ||
      (!encrypted && kdf != std::string(2, '\0')) ||
      std::string_view(packed.checksum_algorithm, 2) != "B2")
    throw Error("expected an Ed25519 key with a BLAKE2b checksum, found another kind");
  if (encrypted) scramble(packed, password());
  uint8_t sum[32], none[32] = {};
  checksum(packed, sum);
  // Without a password minisign leaves the checksum empty.
  const bool unchecked = !encrypted && std::memcmp(none, packed.hidden.checksum, sizeof none) == 0;
  if (!unchecked && std::memcmp(sum, packed.hidden.checksum, sizeof sum) != 0)
    throw Error(encrypted ? "the password is wrong, or the key is damaged" : "the key is damaged");
  SecretKey key;
  std::memcpy(key.id.data(), packed.hidden.id, key.id.size());
  std::memcpy(key.key.data(), packed.hidden.key, key.key.size());
  return key;
}

}  // namespace attune
