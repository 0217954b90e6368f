// SPDX-License-Identifier: Apache-2.0
// Signatures and keys of minisign. The first line of each says little, so every input is tried as all three.
#include "attune/error.h"
#include "fuzz/target.h"
#include "kernel/host/trust/minisign.h"

ATTUNE_FUZZ_TARGET(signature) {
  using namespace attune;
  static const PublicKey key = parse_public_key("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3");
  const auto attempt = [](auto body) {
    try {
      body();
    } catch (const Error&) {
    }
  };
  attempt([&] {
    const Signature signature = parse_signature(bytes);
    PublicKey made_it = key;
    made_it.id = signature.id;
    mismatch(signature, made_it, "bytes");
  });
  attempt([&] { public_key_text(parse_public_key(bytes)); });
  // scrypt takes a gigabyte and seconds: an encrypted key is read up to its password.
  attempt([&] { parse_secret_key(bytes, []() -> std::string { throw Error("no password"); }); });
}
